//! What a text has: a rule is run only where the text has what it needs.

use super::fold::has_placeholder;

/// A set of the bits below.
pub(super) type Traits = u32;

pub(super) const DIGIT: Traits = 1;
pub(super) const AT: Traits = 1 << 1;
pub(super) const COLON: Traits = 1 << 2;
pub(super) const EQUALS: Traits = 1 << 3;
pub(super) const SLASH: Traits = 1 << 4;
pub(super) const BACKSLASH: Traits = 1 << 5;
pub(super) const LESS: Traits = 1 << 6;
pub(super) const DASH: Traits = 1 << 7;
pub(super) const HASH: Traits = 1 << 8;
pub(super) const BRACKET: Traits = 1 << 9;
pub(super) const UNDERSCORE: Traits = 1 << 10;
pub(super) const DOT: Traits = 1 << 11;
pub(super) const SYMBOL: Traits = 1 << 12;
/// Not plain: folding has work to do.
pub(super) const FOREIGN: Traits = 1 << 13;
pub(super) const CAPITAL: Traits = 1 << 14;
/// A dot with a letter or digit right behind it.
pub(super) const INNER_DOT: Traits = 1 << 15;
/// A run of 16 bytes or more without a space.
pub(super) const LONG: Traits = 1 << 16;

pub(super) const SECRET_WORD: Traits = 1 << 17;
pub(super) const MONTH_WORD: Traits = 1 << 18;
pub(super) const STREET_WORD: Traits = 1 << 19;
pub(super) const TITLE_WORD: Traits = 1 << 20;
pub(super) const DOT_WORD: Traits = 1 << 21;
pub(super) const ORDER_WORD: Traits = 1 << 22;
pub(super) const AT_WORD: Traits = 1 << 23;
pub(super) const COMMAND_WORD: Traits = 1 << 24;

/// Which words give which trait, as they are in a folded text in lower case.
pub(super) const LISTS: &[(&str, Traits)] = &[
    (
        "password passwords passwd passwort passwrd pass passphrase passcode passkey kennwort losung \
         pw pwd pswd mdp contrasena clave senha wachtwoord haslo losenord parola parol пароль pin otp \
         totp mfa psk secret token apikey key credential credentials cred creds login logon username \
         user phrase mnemonic bearer basic authorization cookie cvv cvc code passe words 密 ハ 비 暗 口",
        SECRET_WORD,
    ),
    (
        "jan january januar janvier enero gennaio janeiro feb february februar fevrier febrero \
         febbraio mar march marz mars marzo apr april avril abril aprile may mai mayo maggio jun june \
         juni juin junio giugno jul july juli juillet julio luglio aug august aout agosto sep sept \
         september septembre septiembre settembre oct okt october oktober octobre octubre ottobre nov \
         november novembre noviembre dec dez december dezember decembre diciembre dicembre",
        MONTH_WORD,
    ),
    (
        "street st road rd avenue ave boulevard blvd lane ln drive dr court ct place pl square sq \
         terrace way highway hwy parkway pkwy close crescent row mews walk gardens grove hill quay \
         circle cir alley plaza rue calle avenida via viale piazza rua ulica ul strasse str weg platz \
         gasse allee ring damm ufer straat laan chemin route impasse paseo corso box postfach postbus \
         apartado bp suite apt",
        STREET_WORD,
    ),
    (
        "mr mrs ms miss mx dr prof professor herr herrn frau mme mlle madame monsieur senor senora \
         signor signora sir name heisse heiße appelle llamo chiamo",
        TITLE_WORD,
    ),
    ("dot punkt punto point", DOT_WORD),
    ("at arroba chez ät", AT_WORD),
    (
        "order ticket invoice case account acct customer client contract policy reference ref booking \
         reservation claim bug issue incident patient member employee badge license licence passport \
         tel phone call fax mobile cell ext extension durchwahl konto kunde rechnung bestellung telefon \
         handy commande facture compte nr no num number numero ssn iban sort blz",
        ORDER_WORD,
    ),
    (
        "mysql mysqldump mysqladmin mariadb sshpass zip unzip identified requirepass masterauth auth \
         redis curl psql ldapsearch",
        COMMAND_WORD,
    ),
];

const TABLE: [Traits; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' => CAPITAL,
            b'@' => AT,
            b':' => COLON,
            b'=' => EQUALS,
            b'/' => SLASH,
            b'\\' => BACKSLASH,
            b'<' => LESS,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'.' => DOT,
            b'#' => HASH | SYMBOL,
            b'(' | b'[' | b'{' => BRACKET,
            b'!' | b'$' | b'%' | b'^' | b'&' | b'*' | b'?' | b'+' | b'~' => SYMBOL,
            b'\t' | b'\n' | b'\r' | b' '..=b'~' => 0,
            _ => FOREIGN,
        };
        byte += 1;
    }
    table
};

/// What the bytes say, without the words.
pub(super) fn of_bytes(bytes: &[u8]) -> Traits {
    let mut found = 0;
    let (mut run, mut longest) = (0_usize, 0_usize);
    let mut dotted = false;
    for &byte in bytes {
        found |= TABLE[byte as usize];
        run = if byte <= b' ' { 0 } else { run + 1 };
        longest = longest.max(run);
        if dotted && (byte.is_ascii_alphanumeric() || byte >= 0x80) {
            found |= INNER_DOT;
        }
        dotted = byte == b'.';
    }
    if longest >= 16 {
        found |= LONG;
    }
    found
}

/// Whether the text is its own folded copy.
pub(super) fn is_plain(text: &str, found: Traits) -> bool {
    found & FOREIGN == 0 && (found & LESS == 0 || !has_placeholder(text))
}
