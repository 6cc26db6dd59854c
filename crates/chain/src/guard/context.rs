//! Secrets that only the words before them give away: "password: ...", `-p ...`, `DB_PASS=...`.

use regex::bytes::Regex;

use super::fold::MASK;
use super::kind::Kind;
use super::rules::compiled;
use super::spans::{Reach, Spans, trimmed};
use super::traits::{COLON, COMMAND_WORD, DASH, EQUALS, SECRET_WORD, Traits};

/// What may follow for the find to stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Anything.
    Any,
    /// Anything that a sentence would not go on with.
    Unsaid,
    /// Only what has a digit or a sign in it, as words have not.
    Odd,
    /// As `Odd`, but not a short number either: `-p 22` is a port.
    Option,
    /// Everything up to the end of the sentence.
    Line,
}

struct Lead {
    kind: Kind,
    all: Traits,
    any: Traits,
    value: Value,
    regex: &'static str,
}

const fn lead(kind: Kind, all: Traits, any: Traits, value: Value, regex: &'static str) -> Lead {
    Lead {
        kind,
        all,
        any,
        value,
        regex,
    }
}

/// Each expression ends where the value begins.
const LEADS: &[Lead] = &[
    lead(
        Kind::Password,
        SECRET_WORD,
        COLON | EQUALS | DASH,
        Value::Any,
        r#"(?:\b|_)(?:pass(?:word|wd|wort|phrase|code|key|wrd)?s?|kennwort|losung|pw|pwd|pswd|mdp|mot de passe|contrasena|clave|senha|wachtwoord|haslo|losenord|parola?|pin(?: code)?|otp|2fa|mfa|totp|psk|secrets?|tokens?|api[ _-]?keys?|(?:access|secret|private|license|product|encryption|account|shared|ssh|wifi|recovery|backup)[ _-]?(?:keys?|codes?)|credentials?|creds?|cvv2?|cvc)(?: \([^)\n]{0,30}\)| (?:for|to|on|fur|pour|para) [^:=\n]{1,40})?["'`*\])]{0,3}\s*(?:[:=]+>?|->|=>| - )\s*"#,
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        COLON | EQUALS | DASH,
        Value::Any,
        r"(?:пароль|密码|密碼|ハスワート|暗号|비밀번호|口令)[^\n:=-]{0,40}?(?:[:=]+>?|->| - )\s*",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Odd,
        r"(?:пароль|密码|密碼|ハスワート|暗号|비밀번호|口令) ?",
    ),
    lead(
        Kind::Password,
        0,
        EQUALS,
        Value::Any,
        r#"[\w.-]*(?:key|secret|token|pass|pwd|passw|cred|auth)[\w.-]*["'`\]]{0,2}\s*(?:=+>?|:=)\s*"#,
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        COLON,
        Value::Any,
        r#"(?:[\w.-]*[_.-])(?:keys?|secret|token|pass|password|passwd|pwd|pw|creds?|credentials?)(?:[_.-][\w.-]*)?["'`]{0,2}\s*:\s*"#,
    ),
    lead(
        Kind::Password,
        0,
        COLON,
        Value::Any,
        r#"\b\w*(?:password|passwd|passwort|secretkey|accesskey|apikey|authtoken|accesstoken|clientsecret)\w*["'`]{0,2}\s*:\s*"#,
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Unsaid,
        r"\b(?:pass(?:word|wd|wort|phrase|code)|kennwort|pw|pwd|mdp|mot de passe|contrasena|clave|senha|wachtwoord|haslo|losenord|pass|pin|api[ _-]?key)(?: (?:for|to|of|on|fur|pour|para|de|del|von|zu|zum)(?: [\w.'-]+){1,4}?)? (?:is|was|are|be|ist|war|lautet|est|es|et|este|jest|to|=|remains|stays|becomes) (?:now |still |just |actually |currently |jetzt |always |simply |again |set to |called )?",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Unsaid,
        r"(?:\bpassword|密码|密碼|ハスワート|비밀번호|пароль)(?: ?(?:是|为|為|は|는|은|это|-))\s*",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Odd,
        r"\b(?:pass(?:word|wd|wort|phrase|code)?|kennwort|pw|pwd|mdp|contrasena|clave|senha|haslo|pin|otp|2fa|mfa|totp|token|secret|key|code|psk|login|user|creds?|credentials?|cvv2?|cvc)(?: (?:is|was|to|for it is|code|number))?[ ,]+(?:now )?",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Odd,
        r"\b(?:login|log in|logon|sign in|creds?|credentials?)(?: (?:is|are|with|as|using|to \w+ with))+:? ",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        COLON | EQUALS,
        Value::Any,
        r"\b(?:login|logon|creds?|credentials?|user(?:name)? ?[/&+] ?pass(?:word)?|(?:login|user|id)/(?:pw|pass|pwd|password))\s*(?:[:=]|is|are)\s*",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Unsaid,
        r"\b(?:login/pw|user/pw|user/pass(?:word)?|username/password|login/password|id/pw)[ :=]+(?:is |are )?",
    ),
    lead(
        Kind::Handle,
        SECRET_WORD,
        COLON | EQUALS,
        Value::Any,
        r#"\b(?:user(?:[ _-]?(?:name|id))?|login|logon|account)["'`]{0,2}\s*[:=]\s*"#,
    ),
    lead(
        Kind::Handle,
        SECRET_WORD,
        0,
        Value::Odd,
        r"\b(?:user(?:name)?|login)(?: is)? ",
    ),
    lead(
        Kind::Password,
        SECRET_WORD,
        0,
        Value::Line,
        r"\b(?:(?:seed|recovery|backup|secret|pass|mnemonic)[ -]?(?:phrase|words)|mnemonic|passphrase)(?: (?:for|to|of) [\w ]{1,30}?)?\s*(?::|=|is|was|ist|lautet)\s*",
    ),
    lead(
        Kind::Key,
        SECRET_WORD,
        COLON | EQUALS,
        Value::Any,
        r#"\b(?:proxy-)?authorization["'`]?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|apikey|bot|negotiate) +)?"#,
    ),
    lead(
        Kind::Key,
        SECRET_WORD,
        0,
        Value::Odd,
        r"\b(?:bearer|basic|bot) +",
    ),
    lead(
        Kind::Key,
        SECRET_WORD | COLON,
        0,
        Value::Line,
        r"\b(?:set-)?cookie: *",
    ),
    lead(
        Kind::Password,
        DASH,
        0,
        Value::Option,
        r"(?:^|\s)(?:(?-i:-p)|-pw|--?(?:password|passwd|pass|pw|pwd|token|secret|key|api-?key|auth|requirepass|credentials?|passphrase|client-secret)(?:\s+|=))\s*",
    ),
    lead(
        Kind::Handle,
        DASH,
        0,
        Value::Option,
        r"(?:^|\s)--?(?:user|username|login)(?:\s+|=)",
    ),
    lead(
        Kind::Password,
        DASH | COMMAND_WORD,
        0,
        Value::Option,
        r"(?:mysql\w*|mariadb\w*|sshpass|redis\S*|psql|zip|unzip|curl|ldapsearch)\b[^\n]*?\s(?-i:-[apwuP])\s*",
    ),
    lead(
        Kind::Password,
        COMMAND_WORD,
        0,
        Value::Any,
        r"\b(?:identified by|requirepass|masterauth|(?-i:AUTH)) +",
    ),
];

/// How a sentence goes on after "the password is".
const SAID: &str = " a about above after again all allowed already also always an and any as asked at available \
based be because been before being below better blank bad both broken but by case changed chosen checked compared \
compromised computed configured considered correct created currently default defined deleted derived different \
disabled displayed easy either empty enabled encrypted encoded entered exactly expired exposed fetched first for \
forgotten found from generated given good gone great hard hashed here hidden how if ignored important in incorrect \
invalid it its just kept known last leaked less long longer lost made many masked missing more much my necessary \
needed never new no none not nothing now null obtained of often ok okay old omitted on one only optional or our out \
over passed plain present printed prompted protected provided public random read really rejected removed required \
reset retrieved returned right safe same saved secret secure sent set shared short should shown simple so specified \
still stored strong stuff supplied taken that the their then there therefore they this to too transmitted true false \
typed unknown unset up us used useful using valid verified very visible wanted was weak well what when where which \
while with without written wrong yet you your be make do get have use find go see know keep log access unlock open \
ein eine nicht falsch richtig le la un une el en der die das que no pas ";

/// Tokens that are taken with a value while they look like a part of it.
const MORE_TOKENS: usize = 3;
const MAX_LINE_BYTES: usize = 400;

pub(super) struct Context {
    leads: Vec<(&'static Lead, Regex)>,
}

impl Context {
    pub(super) fn new() -> Self {
        let compile = |lead: &'static Lead| (lead, compiled(lead.regex));
        Self {
            leads: LEADS.iter().map(compile).collect(),
        }
    }

    pub(super) fn find(&self, bytes: &[u8], traits: Traits, spans: &mut Spans) {
        for (lead, regex) in &self.leads {
            let possible = lead.any == 0 || lead.any & traits != 0;
            if !possible || lead.all & traits != lead.all {
                continue;
            }
            for found in regex.find_iter(bytes) {
                if let Some((start, end)) = value(bytes, found.end(), lead.value) {
                    spans.add(start, end, lead.kind, Reach::Exact);
                }
            }
        }
    }
}

fn value(bytes: &[u8], at: usize, wanted: Value) -> Option<(usize, usize)> {
    let opening = bytes[at..]
        .iter()
        .take_while(|byte| b"\"'`*|([{<".contains(byte))
        .count();
    let start = at + opening;
    let quote = bytes[at..start]
        .iter()
        .copied()
        .rfind(|byte| b"\"'`".contains(byte));
    if let Some(quote) = quote
        && let Some(length) = bytes[start..]
            .iter()
            .take(MAX_LINE_BYTES)
            .position(|&byte| byte == quote)
    {
        return (length > 0).then_some((start, start + length));
    }
    if wanted == Value::Line {
        let end = sentence_end(bytes, start);
        return (end > start).then_some((start, end));
    }
    let end = token_end(bytes, start);
    let token = &bytes[start..end];
    let accepted = match wanted {
        Value::Any => true,
        Value::Unsaid => !is_said(token),
        Value::Odd => is_odd(token),
        Value::Option => {
            !(token.is_empty() || token.len() <= 4 && token.iter().all(u8::is_ascii_digit))
        }
        Value::Line => unreachable!("a line is taken above"),
    };
    if token.is_empty() || token == [MASK] || !accepted {
        return None;
    }
    Some((start, with_more(bytes, end)))
}

fn token_end(bytes: &[u8], start: usize) -> usize {
    let length = bytes[start..].iter().position(u8::is_ascii_whitespace);
    let end = length.map_or(bytes.len(), |length| start + length);
    trimmed(bytes, start, end)
}

fn sentence_end(bytes: &[u8], start: usize) -> usize {
    let limit = bytes.len().min(start + MAX_LINE_BYTES);
    let mut end = start;
    while end < limit && bytes[end] != b'\n' {
        let stops = b".!?".contains(&bytes[end]);
        if stops && bytes.get(end + 1).is_none_or(u8::is_ascii_whitespace) {
            break;
        }
        end += 1;
    }
    trimmed(bytes, start, end)
}

/// "root / toor", and what follows with digits or signs in it.
fn with_more(bytes: &[u8], mut end: usize) -> usize {
    for _ in 0..MORE_TOKENS {
        let rest = &bytes[end..];
        let gap = rest
            .iter()
            .take_while(|byte| b" \t/|:,&+".contains(byte))
            .count();
        let paired = rest[..gap].iter().any(|byte| b"/|:".contains(byte));
        let next = end + gap;
        let stop = token_end(bytes, next);
        let token = &bytes[next..stop];
        let takes = gap > 0 && !token.is_empty() && (paired || is_odd(token));
        if !takes {
            break;
        }
        end = stop;
    }
    end
}

fn is_said(token: &[u8]) -> bool {
    let Ok(token) = std::str::from_utf8(token) else {
        return false;
    };
    let token = token.to_lowercase();
    let plain = token.bytes().all(|byte| byte.is_ascii_alphabetic());
    plain && SAID.contains(&format!(" {token} ")) || token.is_empty()
}

/// Not a word: a letter with a digit or a sign, or a number of three digits and more.
fn is_odd(token: &[u8]) -> bool {
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = token
        .iter()
        .filter(|&&byte| byte.is_ascii_alphabetic() || byte >= 0x80)
        .count();
    let signs = token
        .iter()
        .filter(|byte| b"!@#$%^&*?+~=_\\".contains(byte))
        .count();
    let upper = token.iter().skip(1).any(u8::is_ascii_uppercase);
    let lower = token.iter().any(u8::is_ascii_lowercase);
    let bare = digits == token.len();
    (bare && digits >= 3)
        || letters > 0 && (digits > 0 || signs > 0)
        || (upper && lower && letters >= 6)
}
