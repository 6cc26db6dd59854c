//! The rules that are regular expressions: a data table. All ignore case and see ASCII; letters of
//! other scripts are the bytes from 0x80 on.

use super::hosts;
use super::kind::Kind;
use super::opaque;
use super::spans::Reach;
use super::traits::{
    AT, AT_WORD, BACKSLASH, BRACKET, COLON, DASH, DIGIT, DOT, DOT_WORD, EQUALS, HASH, INNER_DOT,
    LESS, LONG, MONTH_WORD, ORDER_WORD, SLASH, STREET_WORD, TITLE_WORD, Traits, UNDERSCORE,
};

/// Given the text, and where in it something was matched.
type Check = fn(&[u8], usize, usize) -> bool;

pub(super) struct Pattern {
    pub kind: Kind,
    /// The text has all of these,
    pub all: Traits,
    /// and one of these, if there are any.
    pub any: Traits,
    pub reach: Reach,
    /// What the expression cannot say.
    pub check: Option<Check>,
    /// What was matched ends before the punctuation of the sentence.
    pub trims: bool,
    pub regex: &'static str,
}

const fn rule(kind: Kind, all: Traits, reach: Reach, regex: &'static str) -> Pattern {
    Pattern {
        kind,
        all,
        any: 0,
        reach,
        check: None,
        trims: false,
        regex,
    }
}

use Reach::{Chunk, Exact, Right, Word};

pub(super) const PATTERNS: &[Pattern] = &[
    // Keys by their prefix, however short what follows.
    rule(Kind::Key, 0, Chunk, r"(?:\b|_)(?:(?-i:A[KSGR][IPO]A)[a-z0-9]{4,}|gh[pousr]_\w{3,}|github_pat_\w+|gl[a-z]{2,8}-[\w-]{6,}|xox[a-z][-.]\S{3,}|xapp-\S{3,}|[srp]k[-_](?:live|test|proj|ant|or)[-_]\S{2,}|whsec_\w{3,}|(?-i:AIza)[\w-]{4,}|ya29\.\S{3,}|sk-[\w-]{8,}|(?-i:SG\.)[\w-]{6,}\S*|npm_[a-z0-9]{6,}|pypi-[\w-]{8,}|do[opr]_v1_\w{4,}|hf_[a-z0-9]{6,}|shp(?:at|ca|pa|ss)_\w{4,}|sq0[a-z]{3}-\S{4,}|dapi[0-9a-f]{8,}|figd_\S{4,}|lin_api_\w{4,}|ntn_\w{6,}|hv[sbr]\.\S{6,}|eyJ[\w-]{6,}(?:\.[\w.-]*)?|age1[a-z0-9]{8,}|age-secret-key-\S+|AGE-\S*KEY\S*|vault:v\d:\S+|key-[0-9a-f]{8,}|EAA[a-z0-9]{8,}|rk_\w{8,}|tfp_\S{6,}|nvapi-\S{4,}|gsk_\w{6,}|r8_\w{6,}|pat[a-z0-9]{14}\.\w+|sntry[su]_\S+|glsa_\S+|phc_\w{8,}|op_\w{20,}|PMAK-\S{6,}|NRAK-\S{4,}|1//0[\w-]{8,})").any(UNDERSCORE | DASH | INNER_DOT | LONG | DIGIT),
    rule(Kind::Key, DASH, Exact, r"(?s)-{2,}\s*begin [a-z0-9 ]*(?:.*?-{2,}\s*end [^-\n]*-*|.*)"),
    rule(Kind::Key, DASH, Exact, r"(?s)[a-z0-9+/=\s]{20,}-{3,}\s*end [^-\n]*-*"),
    rule(Kind::Key, 0, Right, r"\b(?:ssh-(?:rsa|dss|ed25519)|sk-ssh-\S+|ecdsa-sha2-\S+)\s+[a-z0-9+/=]{8,}(?:[ \t]+[^\s@]+@\S+)?"),
    rule(Kind::Key, EQUALS, Right, r"\b(?:server|data source|host|hostname|endpoint|defaultendpointsprotocol|accountname|sharedaccesskeyname|uid|user id|user|dbname|database|initial catalog|provider|driver)\s*=\s*[^;\n]{1,120};\s*[\w ]{2,30}\s*=\s*[^\n]*"),
    rule(Kind::Key, DIGIT | COLON, Chunk, r"\b\d{7,11}:[\w-]{16,}"),
    rule(Kind::Key, INNER_DOT | LONG, Chunk, r"\b[a-z][\w-]{22,}\.[\w-]{6,}\.[\w-]{20,}"),
    rule(Kind::Key, EQUALS, Right, r"\b(?:sig|signature|sas|se|sv|code|state|sid|session|phpsessid|jsessionid|auth|authkey)=[\w%+/=.-]{6,}"),
    rule(Kind::Iban, DIGIT, Word, r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,4})?\b").with(eight_digits),
    rule(Kind::Id, DIGIT | DASH, Word, r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    rule(Kind::Id, DIGIT, Word, r"\b[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d]\b"),
    rule(Kind::Id, DIGIT | DASH, Word, r"\b[a-z][a-z0-9]{0,9}-\d{2,}").with(is_ticket),
    rule(Kind::Id, DIGIT | HASH, Word, r"#\d{3,}"),
    rule(Kind::Id, DIGIT | ORDER_WORD, Word, r"\b(?:order|ticket|invoice|case|account|acct|customer|client|contract|policy|reference|ref|booking|reservation|claim|bug|issue|incident|patient|member|employee|badge|licen[sc]e|passport|konto|kunde\w*|rechnung|bestellung|commande|facture|compte|ssn|sort|blz)(?:[ -](?:code|id|number|numbers|no|num|nr|nummer|numero))?\b[.:# ]*\b[a-z]{0,4}-?\d[\d-]{2,}").with(three_digits),
    rule(Kind::Phone, DIGIT | ORDER_WORD, Word, r"\b(?:tel|phone|call|fax|mobile|cell|ext|extension|durchwahl|telefon|handy)\b(?: (?:me |us |him |her |them )?(?:at|on|is|nr|no|number))?[.:# ]{0,3}\+?\(?\d[\d \-./()]{2,}\d"),
    rule(Kind::Place, DIGIT | DOT, Exact, r"[-+]?\d{1,3}\.\d{3,}\W{0,4}[nsew]?\s*[,;/ ]\s*[-+]?\d{1,3}\.\d{3,}(?:\W{0,4}[nsew]\b)?"),
    rule(Kind::Place, DIGIT, Exact, r"\b\d{1,3}(?:\xc2\xb0|\s*deg\s|o)\s*\d{1,2}(?:\.\d+)?\s*['m]?\s*(?:\d{1,2}(?:\.\d+)?\s*(?:\x22|''|s)?\s*)?[nsew]\b"),
    rule(Kind::Url, SLASH, Exact, r"\b[a-z][a-z0-9+.-]{1,20}(?::|\[:\]|\(:\))//*[^\s<>]+").with(is_url).trimmed(),
    rule(Kind::Url, INNER_DOT, Exact, r"\bwww\d?\.[^\s<>]+").trimmed(),
    rule(Kind::Url, COLON, Exact, r"\b(?:magnet:\?|data:[a-z]+/|sips?:|xmpp:|skype:|callto:|jdbc:|urn:[a-z])[^\s<>]+").trimmed(),
    rule(Kind::Url, SLASH | INNER_DOT, Exact, r"\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|gg|me|ly|co|dev|app|de|uk|fr|edu|gov|local|lan|internal|corp|example|test)(?::\d+)?/[^\s<>]*").trimmed(),
    rule(Kind::Mail, COLON, Exact, r"\bmailto:[^\s<>]+").trimmed(),
    rule(Kind::Mail, AT, Chunk, r#"[^\s<>"(),;@]*[a-z0-9_.+\x80-\xff-]@[a-z0-9\x80-\xff\[][^\s<>"(),;]*(?:\s+(?:dot|punkt|punto|point)\s+[a-z-]{2,})*"#),
    rule(Kind::Mail, AT, Exact, r#""[^"\s]+"@[^\s<>"(),;]+"#),
    rule(Kind::Mail, AT | INNER_DOT, Exact, r"[\w.+-]+\s+@\s*[\w-]+(?:\.[\w-]+)+|[\w.+-]+@\s+[\w-]+(?:\.[\w-]+)+"),
    rule(Kind::Mail, BRACKET, Exact, r"[\w.+-]+\s*[\[({]\s*(?:at|@|a|arroba)\s*[\])}]\s*[\w-]+(?:\s*(?:\.|[\[({]\s*(?:dot|\.|punkt|punto|point)\s*[\])}]|\s(?:dot|punkt|punto|point)\s)\s*[\w-]+)*").any(AT | AT_WORD),
    rule(Kind::Mail, DOT_WORD, Exact, r"[\w.+-]+(?:\s+(?:dot|punkt|punto|point)\s+[\w-]+)*\s+(?:at|arroba|chez)\s+[\w-]+(?:\s+(?:dot|punkt|punto|point)\s+[\w-]+)+").with(ends_in_top),
    rule(Kind::Mail, AT_WORD | INNER_DOT, Exact, r"\b(?:[\w+-]+\.[\w.+-]+|(?:mail|email)(?: \w+)? \w+) at (?:gmail|[\w-]+)\.[a-z]{2,}(?:\.[a-z]{2,})*"),
    rule(Kind::Host, DOT_WORD, Exact, r"[\w-]+(?:\s+dot\s+[\w-]+)*\s+dot\s+(?:com|org|net|de|uk|io|fr|edu|gov|co|eu|info|local|lan|corp|internal|test|example|me|gg|dev)\b"),
    rule(Kind::Path, BACKSLASH, Exact, r"\\\\[a-z0-9.?][^\s<>]+").trimmed(),
    rule(Kind::Path, COLON, Exact, r#"\b[a-z]:[\\/](?:[^\s<>"|]*(?: [^\s<>"|\\/]+[\\/])?)*"#).trimmed().any(BACKSLASH | SLASH),
    rule(Kind::Path, BACKSLASH, Right, r"(?:\\|%)?\b(?:users|documents and settings|home|profiles)[\\/]+[^\s<>]+|\b[a-z][\w.-]+\\[a-z][\w.$-]+"),
    rule(Kind::Path, SLASH, Chunk, r"(?:/home|/users|/export/home|/var/home|/mnt|/media|/srv|/volumes|/net|/nfs|/data|/var/www|/var/mail|/var/spool/\w+|/run/user|/root)/[^\s<>]+|~\w[\w.-]*/[^\s<>]*").with(is_rooted),
    rule(Kind::Ip, DIGIT | DOT, Chunk, r"\b\d{1,3}(?:(?:\.|\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?|,)\d{1,3}){3}(?:[:/]\d+)?"),
    rule(Kind::Ip, DIGIT | DOT_WORD, Chunk, r"\b\d{1,3}(?:\s+(?:dot|punkt|punto|point)\s+\d{1,3}){3}"),
    rule(Kind::Ip, DIGIT | BRACKET, Chunk, r"\b\d{1,3}(?:\s?(?:\.|[\[({]\s?(?:\.|dot)\s?[\])}])\s?\d{1,3}){3}(?:[:/]\d+)?"),
    rule(Kind::Ip, DIGIT | DOT, Chunk, r"\b(?:192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254|10\.\d{1,3})\.(?:\d{1,3}|x|\*)(?:\.[\dx*]{1,3})?"),
    rule(Kind::Ip, COLON, Word, r"(?:[0-9a-f]{0,4}:){2,8}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{1,4})?(?:%\w+)?(?:/\d+)?").with(is_ipv6),
    rule(Kind::Mac, DIGIT, Word, r"\b[0-9a-f]{2}(?:[:.-][0-9a-f]{2}){5,7}\b|\b[0-9a-f]{4}[.:-][0-9a-f]{4}[.:-][0-9a-f]{4}\b").any(COLON | DASH | DOT),
    rule(Kind::Mac, COLON, Word, r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5,7}\b"),
    rule(Kind::Host, INNER_DOT, Chunk, r"[a-z0-9_\x80-\xff][a-z0-9_\x80-\xff-]*(?:\.[a-z0-9_\x80-\xff][a-z0-9_\x80-\xff-]*)+").with(is_host),
    rule(Kind::Host, BRACKET, Chunk, r"[a-z0-9][\w-]*(?:\.[\w-]+)*\s?(?:\[\.\]|\(\.\)|\{\.\}|[\[({] ?dot ?[\])}])\s?[\w-]+(?:(?:\[\.\]|\(\.\)|\{\.\}|[\[({] ?dot ?[\])}]|\.)[\w-]+)*"),
    // Streets.
    rule(Kind::Address, DIGIT | STREET_WORD, Exact, r"\b\d{1,5} ?[a-z]?,? (?:(?:[a-z0-9\x80-\xff][\w'.\x80-\xff-]*) ){1,4}?(?:street|st|road|rd|avenue|ave|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|way|highway|hwy|parkway|pkwy|close|crescent|row|mews|walk|gardens|grove|hill|quay|circle|cir|alley|plaza)\b\.?(?: (?:street|road|avenue|lane|drive|close|way|court|place)\b)?(?:,? (?:apt|apartment|suite|ste|unit|floor|#)\.? ?\w+)?(?:,? (?-i:[A-Z])[\w-]+(?: (?-i:[A-Z])[\w-]+)?,? [a-z]{2} \d{5}(?:-\d{4})?)?").with(is_street),
    rule(Kind::Address, DIGIT | STREET_WORD, Exact, r"\b(?:\d{1,4}(?: ?bis| ?ter|[a-z])?,? (?:rue|avenue|boulevard|place|chemin|route|impasse|allee|quay|quai)(?: (?:de|du|des|la|le|les|d'|l'))*[ ']?[\w'\x80-\xff-]+(?: (?-i:[A-Z])[\w'\x80-\xff-]+){0,3}|(?:rue|via|viale|piazza|corso|calle|avenida|av\.|rua|paseo|plaza|ulica|ul\.|boulevard)(?: (?:de|del|della|dei|do|da|dos|das|la|las|los|el|du|des))*(?: [\w'.\x80-\xff-]+){1,4}?(?:,| ) ?(?:n[o.]* ?)?\d{1,4}[a-z]?\b)"),
    rule(Kind::Address, DIGIT, Exact, r"(?:\b(?-i:[A-Z])[\w.\x80-\xff-]*[ -])?\b[a-z\x80-\xff-]*(?:strasse|str\.|str|gasse|allee|damm|ufer|straat|laan|gracht|gatan|vagen|vej|gade|platz|weg|ring|markt|steig)\.? ?\d{1,4} ?[a-z]?\b(?:,? (?:(?-i:[A-Z]{1,2})-)?\d{4,5} (?-i:[A-Z])[\w-]+)?").with(is_european_street),
    rule(Kind::Address, DIGIT, Exact, r"\b(?-i:(?:[A-Z]{1,2}-)?\d{5} (?:[A-Z][a-z]{2,}|[^\x00-\x7f])[\w\x80-\xff/-]*|[A-Z]{1,2}-\d{4} [A-Z][\w\x80-\xff-]+|\d{4} ?[A-Z]{2}(?: [A-Z][\w-]+)\b|[A-Z][a-z]+(?: [A-Z][a-z]+)?,? [A-Z]{2} \d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b"),
    rule(Kind::Address, DIGIT | STREET_WORD, Exact, r"\b(?:p\.? ?o\.? ?box|postfach|postbus|apartado|bp|suite|apt\.?)[ .:#]*\d+[a-z]?\b"),
    // Days.
    rule(Kind::Date, DIGIT, Word, r"\b\d{4}(?:-(?:1[0-2]|0?[1-9])-(?:3[01]|[12]\d|0?[1-9])|/(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])|\.(?:1[0-2]|0?[1-9])\.(?:3[01]|[12]\d|0?[1-9]))(?:[t ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?z|[+-]\d{2}:?\d{2})?)?"),
    rule(Kind::Date, DIGIT, Word, r"\b(?:3[01]|[12]\d|0?[1-9])(?:-(?:3[01]|[12]\d|0?[1-9])-|/(?:3[01]|[12]\d|0?[1-9])/|\. ?(?:3[01]|[12]\d|0?[1-9])\. ?)(?:\d{4}|\d{2})\b"),
    rule(Kind::Date, DIGIT, Word, r"\b\d{4}(?:\xe5\xb9\xb4|\xeb\x85\x84) ?\d{1,2}(?:\xe6\x9c\x88|\xec\x9b\x94) ?\d{1,2}"),
    rule(Kind::Date, DIGIT | MONTH_WORD, Exact, r"\b(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|er|\.)?[ -]?(?:of |de |di )?(?:jan|janu?ar[yi]?|janvier|enero|gennaio|janeiro|feb|februar[yi]?|fevrier|febrero|febbraio|mar|march|marz|mars|marzo|apr|april|avril|abril|aprile|may|mai|mayo|maggio|jun|june|juni|juin|junio|giugno|jul|july|juli|juillet|julio|luglio|aug|august|aout|agosto|sept?|september|septembre|septiembre|settembre|o[ck]t|o[ck]tober|octobre|octubre|ottobre|nov|november|novembre|noviembre|de[cz]|de[cz]ember|decembre|diciembre|dicembre)\b\.?(?:(?:,? ?| de |-)(?:\d{4}|'?\d{2})\b)?"),
    rule(Kind::Date, DIGIT | MONTH_WORD, Exact, r"\b(?:jan|january|feb|february|mar|march|apr|april|may|jun|june|jul|july|aug|august|sept?|september|oct|october|nov|november|dec|december)\b\.?(?: the)?[ -](?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\b(?:,? \d{4}\b)?"),
    // Accounts.
    rule(Kind::Handle, LESS, Exact, r"<(?:@[!&]?|#)\d+>|</[^<>\n]{1,100}:\d+>|<id:\w+>"),
    rule(Kind::Date, LESS | COLON, Exact, r"<t:-?\d+(?::\w)?>"),
    rule(Kind::Emoji, LESS | COLON, Exact, r"<a?:[\w~-]{1,64}:\d+>"),
    rule(Kind::Handle, AT, Right, r"@[a-z0-9_\x80-\xff][\w.\x80-\xff-]*").with(is_mention),
    rule(Kind::Handle, HASH | DIGIT, Word, r"[\w.\x80-\xff]{2,40}#\d{4}\b"),
    rule(Kind::Handle, SLASH, Word, r"\bu/[\w-]{3,}"),
    rule(Kind::Name, TITLE_WORD, Exact, r"\b(?-i:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Herrn?|Frau|Mme|Mlle|Madame|Monsieur|Sir|Senora?|Signora?)\b\.?(?: (?-i:Dr|Prof)\.?)? (?-i:[A-Z]|[\xc3-\xdf])[\w'.\x80-\xff-]*(?: (?:(?:von|van|de|der|di|la|zu) )*(?-i:[A-Z])[\w'\x80-\xff-]+){0,2}"),
    rule(Kind::Name, TITLE_WORD, Exact, r"\b(?:my (?:full |real |first |last )?name is|name's|name:|ich heisse|je m'appelle|me llamo|mi chiamo|mein name ist) (?-i:[A-Z])[\w'\x80-\xff-]+(?: (?-i:[A-Z])[\w'\x80-\xff-]+){0,2}"),
];

impl Pattern {
    const fn with(self, check: Check) -> Self {
        Self {
            check: Some(check),
            ..self
        }
    }

    const fn any(self, any: Traits) -> Self {
        Self { any, ..self }
    }

    const fn trimmed(self) -> Self {
        Self {
            trims: true,
            ..self
        }
    }
}

fn eight_digits(bytes: &[u8], start: usize, end: usize) -> bool {
    bytes[start..end]
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .count()
        >= 8
}

fn is_url(bytes: &[u8], start: usize, end: usize) -> bool {
    let colon = bytes[start..end].iter().position(|&byte| byte == b':');
    // "and:/or" has one slash; a scheme has two.
    let Some(colon) = colon else {
        return false;
    };
    let after = &bytes[start + colon + 1..end];
    let slashes = after
        .strip_prefix(b"]")
        .or(after.strip_prefix(b")"))
        .unwrap_or(after);
    slashes.starts_with(b"//")
}

/// "larkspur at example dot com", not "the call at the point where".
fn ends_in_top(bytes: &[u8], start: usize, end: usize) -> bool {
    let last = bytes[start..end].rsplit(u8::is_ascii_whitespace).next();
    last.is_some_and(hosts::is_top)
}

/// "free/net/openbsd" is no path of the root.
fn is_rooted(bytes: &[u8], start: usize, _: usize) -> bool {
    start == 0 || !bytes[start - 1].is_ascii_alphanumeric()
}

fn is_host(bytes: &[u8], start: usize, end: usize) -> bool {
    hosts::is_qualified(&bytes[start..end])
}

fn is_mention(bytes: &[u8], start: usize, end: usize) -> bool {
    !matches!(&bytes[start..end], b"@everyone" | b"@here")
}

/// ABC-123 and abc-1234, but no standard.
fn is_ticket(bytes: &[u8], start: usize, end: usize) -> bool {
    let Some(dash) = bytes[start..end].iter().position(|&byte| byte == b'-') else {
        return false;
    };
    let prefix = &bytes[start..start + dash];
    let digits = end - start - dash - 1;
    let upper = prefix.len() >= 2 && !prefix.iter().any(u8::is_ascii_lowercase);
    let number = &bytes[start + dash + 1..end];
    let century = number.starts_with(b"1") || number.starts_with(b"20");
    // "mid-1990s", "post-1970".
    if digits == 4 && century && prefix.iter().all(u8::is_ascii_lowercase) {
        return false;
    }
    !opaque::is_standard(prefix)
        && (digits >= 4 || upper && digits >= 2 || digits == 3 && prefix.len() >= 2)
}

/// "bug 12" is a count, "case 4821" a ticket.
fn three_digits(bytes: &[u8], start: usize, end: usize) -> bool {
    bytes[start..end]
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .count()
        >= 3
}

fn is_ipv6(bytes: &[u8], start: usize, end: usize) -> bool {
    let found = &bytes[start..end];
    let joined = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    if start > 0 && joined(bytes[start - 1]) || end < bytes.len() && joined(bytes[end]) {
        return false;
    }
    let colons = found.split(|&byte| byte == b':').count() - 1;
    let short = found.windows(2).any(|pair| pair == b"::");
    let digits = found.iter().any(u8::is_ascii_digit);
    let groups = found
        .split(|&byte| byte == b':')
        .filter(|group| !group.is_empty())
        .count();
    short && groups > 0 && (digits || groups > 2) || !short && colons >= 5 && groups >= 6
}

/// "5 miles down the road" is no address, "5 Mill Lane" is.
fn is_street(bytes: &[u8], start: usize, end: usize) -> bool {
    const ORDINARY: [&[u8]; 40] = [
        b"the", b"of", b"down", b"on", b"in", b"a", b"an", b"miles", b"to", b"at", b"is", b"are",
        b"and", b"or", b"for", b"from", b"people", b"times", b"years", b"days", b"hours",
        b"minutes", b"km", b"my", b"your", b"this", b"that", b"by", b"all", b"with", b"out",
        b"has", b"was", b"it", b"you", b"blocks", b"his", b"their", b"our", b"its",
    ];
    if start > 0 && bytes[start - 1] == b'.' {
        return false;
    }
    let words: Vec<&[u8]> = bytes[start..end].split(|&byte| byte == b' ').collect();
    let between = &words[1..words.len().min(6)];
    let capitals = between
        .iter()
        .filter(|word| word.first().is_some_and(u8::is_ascii_uppercase))
        .count();
    let ordinary = between.iter().any(|word| {
        ORDINARY
            .iter()
            .any(|other| word.eq_ignore_ascii_case(other))
    });
    let certain: [&[u8]; 9] = [
        b"street",
        b"road",
        b"rd",
        b"avenue",
        b"ave",
        b"boulevard",
        b"blvd",
        b"parkway",
        b"lane",
    ];
    let sure = words
        .iter()
        .any(|word| certain.iter().any(|name| word.eq_ignore_ascii_case(name)));
    capitals >= 2 && !ordinary || sure && !ordinary && between.len() <= 4
}

/// "unterwegs 3" and "string 5" are no streets: a compound has letters before its ending.
fn is_european_street(bytes: &[u8], start: usize, end: usize) -> bool {
    const WORDS: [&[u8]; 9] = [
        b"string", b"during", b"bring", b"spring", b"substr", b"away", b"str", b"ring", b"markt",
    ];
    let found = bytes[start..end].to_ascii_lowercase();
    let word = found
        .split(u8::is_ascii_digit)
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    let last = word.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let ing = last.ends_with(b"ring") && !bytes[start].is_ascii_uppercase();
    let short = last.len() < 5 && !last.ends_with(b"weg");
    let english = last.ends_with(b"ering") || last.ends_with(b"uring") || last.ends_with(b"toring");
    !WORDS.contains(&last) && !ing && !short && !english
}
