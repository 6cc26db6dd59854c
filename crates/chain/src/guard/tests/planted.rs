//! Planted secrets, each in a sentence. A data table: text, and what must be gone of it.
//!
//! None is a real one; prefixes are put together here so that scanners of repositories stay calm.

use crate::guard::{Guard, Replaced};

pub(super) const NAMES: &[&str] = &[
    "Quillon Brambleforth",
    "Odalys Vexmoor",
    "Project Thistledown",
    "Zorblatt Industries",
    "Ève-Marie Tourtelais",
    "Пахомий Загогулин",
    "架空太郎",
];

/// The sentence, with what must be gone between `{` and `}`.
const PLANTED: &[&str] = &[
    // Mail.
    "write to {quentin.larkspur@mailhub.test} please",
    "mail me: {q_larkspur+news@sub.mailhub.example}.",
    "see mailto:{larkspur@mailhub.test} for that",
    "reach me {larkspur at mailhub dot test} ok",
    "reach me {larkspur [at] mailhub [dot] test} ok",
    "reach me {larkspur(at)mailhub.test} ok",
    "it is {larkspur @ mailhub.test} now",
    "<{larkspur@mailhub.test}> wrote",
    "{lárkspur@mailhub.test} wrote",
    "(cc {larkspur@mailhub.co.uk})",
    "ssh {deploy@buildhost} and wait",
    "\"{larkspur@mailhub.test}\",\"x\"",
    "{larkspur＠mailhub．test} is full width",
    "{lark\u{200b}spur@mail\u{200b}hub.test} has gaps",
    // Addresses of pages.
    "see {https://intra.quarkworks.test/secret/plan?id=7} today",
    "see {http://10.1.2.3:8080/adminpanel}",
    "get {ftp://larkspur:hunter77@files.quarkworks.test/x}",
    "try {www.quarkworks.test/inside} now",
    "{hxxps://malware[.]quarkworks[.]test/payload}",
    "open {quarkworks.com/careers/larkspur} then",
    "clone {git@quarkworks.test:team/secretrepo.git}",
    "the base at {postgres://larkspur:pgsecret@dbhost/main}",
    "use {redis://:redissecret@cachehost:6379/0}",
    "join {discord.gg/quarkworks}",
    "see [docs]({https://quarkworks.test/docs})",
    "hook {https://discord.com/api/webhooks/8123/AbcdefQrst}",
    "{s3://quarkbucket/dumps/larkspur.gz} is there",
    "{jdbc:mysql://quarkdb:3306/customers} fails",
    // Hosts.
    "restart {db-prod-03} tonight",
    "is {srv01} down?",
    "{LAPTOP-7F3K2Q} is mine",
    "ping {quarknas.local} first",
    "ping {gitlab.quarkworks.internal}",
    "on {mail.quarkworks.corp}, yes",
    "{quarkworks.de} moved",
    "the host {node17.rack3.quark} is slow",
    "{vpn.quarkworks} is down",
    "{printer.lan} jams",
    "{nyc-core-01} rebooted",
    "{prod-db} is locked",
    "{quarkworks[.]com} is bad",
    "{quarkworks dot com} is ours",
    "{quarkworks。com} is ours",
    "{xn--quark-kva.test} resolves",
    "failover to {web-02}",
    "{esxi-host-12} has no memory",
    "{quarkworks.co.uk}:8443 refused",
    // Numbers of the network.
    "ping {192.168.17.44} please",
    "from {10.20.30.40:8443} to us",
    "route {172.16.88.0/21} added",
    "bad {10[.]20[.]30[.]40} seen",
    "bad {10(.)20(.)30(.)40} seen",
    "bad {10 dot 20 dot 30 dot 40} seen",
    "{fe80::1ff:fe23:4567:890a%eth0} is up",
    "{2001:db8:85a3::8a2e:370:7334} is up",
    "{2001:db8::1/64} is up",
    "[{2001:db8::7334}]:443",
    "in {192.168.44.x} somewhere",
    "{１９２.１６８.１７.４４} is full width",
    "{192․168․17․44} has other dots",
    "{192。168。17。44} has other dots",
    "mac {00:1a:2b:3c:4d:5e} here",
    "mac {00-1A-2B-3C-4D-5E} here",
    "mac {001a.2b3c.4d5e} here",
    "mac {aa:bb:cc:dd:ee:ff} here",
    // Telephones.
    "call {+1 (555) 010-4477} now",
    "call {555-010-4477} now",
    "call {(555) 010 4477} now",
    "call {555.010.4477} now",
    "ruf {+49 30 9018 2077} an",
    "ruf {030/90182077} an",
    "appelle le {01 99 00 47 11}",
    "tel: {555-0147}",
    "{+442079460958} rings",
    "{0044 20 7946 0958} rings",
    "{555-010-4477 ext. 8832} rings",
    "{555-010-4477 x8832} rings",
    "phone {5550147}",
    "{+٩٦٦ ٥٥ ٥٥٥ ٠١٢٣} rings",
    "{5️⃣5️⃣5️⃣0️⃣1️⃣4️⃣7️⃣} rings",
    "ext {4477} please",
    // Cards, accounts, identifiers.
    "card {4111 1111 1111 1111} exp soon",
    "card {4111-1111-1111-1111}",
    "card {4111111111111111}!",
    "amex {3782 822463 10005}",
    "iban {DE89 3704 0044 0532 0130 00}",
    "iban {GB29NWBK60161331926819}",
    "iban {FR14 2004 1010 0505 0001 3M02 606}",
    "ssn {078-05-1120} on file",
    "ssn {078 05 1120} on file",
    "nino {QQ 12 34 56 C} on file",
    "dni {12345678Z} on file",
    "codice {RSSMRA85T10A562S} ok",
    "pnr {850709-9805} ok",
    "nir {1 85 05 78 006 084 36} ok",
    "aadhaar {2345 6789 0123}",
    "pesel {44051401359}",
    "passport {C01X00T478} lost",
    "account {88213377} closed",
    "{1234567} is long",
    "{1,234,567} is long",
    "{12'345'678} is long",
    "{48213} is long",
    "ticket {#48213} is open",
    "ticket {QUARK-4821} is open",
    "ticket {ABC-12345}: open",
    "order {48-2213} shipped",
    "invoice no. {4822} paid",
    "customer number {7731} called",
    "uuid {123e4567-e89b-12d3-a456-426614174000}",
    "{b1946ac92492d2347c6235b4d2611184} is a hash",
    "sha {2fd4e1c67a2d28fced849ee1bb76e7391b93eb12}",
    "commit {a48a0de2} broke it",
    // Days.
    "born {1984-03-27} there",
    "born {27.03.1984} there",
    "born {03/27/1984} there",
    "born {27/3/84} there",
    "born {27 March 1984} there",
    "born {March 27, 1984} there",
    "born {27. März 1984} there",
    "né le {27 février 1984} là",
    "nacido {27 de enero de 1984} alli",
    "at {2026-03-27T14:32:53Z} it fell",
    // Streets.
    "lives at {1482 Thistledown Avenue}",
    "lives at {17 Quarry Hill Road}, ok",
    "at {482 Old Mill Ln}",
    "at {1482 Larkspur St., Apt 7B}",
    "{1482 Larkspur Street, Quarkton, CA 90210} is it",
    "3 is {100 Larkspur Street} on the way",
    "wohnt {Lindenblütenstraße 17} jetzt",
    "wohnt {Quarkweg 4a} jetzt",
    "wohnt {Am Larkplatz 12}, dort",
    "habite {12 rue de la Quarkerie} ici",
    "habite {12 bis avenue du Larkspur} ici",
    "abita in {via Quarkolini 17} qui",
    "vive en {calle Larkspuro 44} aqui",
    "woont {Larkspurstraat 12} daar",
    "plz {90210 Quarkstadt} dort",
    "postcode {QK1A 4ZZ} there",
    "{P.O. Box 4482} there",
    "{Postfach 4482} dort",
    "{A-1010 Quarkwien} dort",
    // Places.
    "at {48.85837, 2.29448} now",
    "at {-33.856784,151.215297} now",
    "at {48°51'30\"N} now",
    // Keys.
    concat!("key {AK", "IAQX7TESTONLY4ZZ9} leaked"),
    concat!("key {AS", "IAQX7TESTONLY4ZZ9}/foo leaked"),
    concat!("{wJalrXUt", "nFEMIK7MDENGbPxRfiCYQUARKKEYTEST}"),
    concat!("{gh", "p_16C7e42F292c6912E7710c838347Ae178B4a}"),
    concat!("{gh", "o_abcdefgh} short"),
    concat!("{github", "_pat_11ABCDEFG0abcdefghij_klmnop}"),
    concat!("{gl", "pat-xYzAbCdEfGhIjKlMnOpQ}"),
    concat!("{xo", "xb-1111-2222-AbCdEfGh}"),
    concat!("{sk", "_live_4eC39HqLyjWDarjtT1zdp7dc}"),
    concat!("{rk", "_test_abcdEFGHijkl}"),
    concat!("{AI", "zaSyTESTONLYabcdefghijklmnopqrstuv}"),
    concat!("{sk", "-proj-abcDEF123ghiJKL456mno}"),
    concat!("{SG", ".abcdefGHIJ.klmnopQRSTUV}"),
    concat!("{np", "m_abcdefGHIJ1234567890abcdefGHIJ123456}"),
    concat!("{py", "pi-AgEIcHlwaS5vcmcCJDEyMzQ}"),
    concat!(
        "{ey",
        "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiJxdWFyayJ9.c2lnbmF0dXJl}"
    ),
    concat!("bot {1234567", "89:AAHtestTESTonlyTESTonlyTESTonly12345}"),
    concat!(
        "bot {MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde",
        ".TESTonlyTESTonlyTESTonlyTEST}"
    ),
    concat!("{hv", "s.CAESIabcdefgh}"),
    concat!("{AGE-SECRET", "-KEY-1QUARKQUARKQUARK}"),
    "ssh-ed25519 {AAAAC3NzaC1lZDI1NTE5AAAAIQuark} {larkspur@quark}",
    concat!(
        "-----BEGIN RSA PRIVATE",
        " KEY-----\n{MIIEpAIBAAK\nquarkquark}\n-----END RSA PRIVATE KEY-----"
    ),
    concat!(
        "-----BEGIN PRIVATE",
        " KEY-----\n{MIIEpAIBAAK\ncut off here}"
    ),
    "-----BEGIN PGP MESSAGE-----\n{hQEMA quark block}",
    "Account{Key=cXVhcmtxdWFya3F1YXJrcXVhcms=};x",
    "{Server=quarksql;Database=customers;User Id=larkspur;Password=pa55}",
    "url has sig={abcQUARKdef123} in it",
    "{qZwXkTbPmLrNvJhG} is random",
    "{k3J9x2QpL0aZ7bVn} is random",
    "{dGhpcyBpcyBhIHF1YXJr} is encoded",
    "{xK9mQ2vL} is random",
    "glued {k3J9x2QpL0aZ7bVn/quark} gone",
    // Passwords.
    "password: {kelpzebra}",
    "Password is {kelpzebra} by the way",
    "my password is {kelpzebra}",
    "pw={kelpzebra}",
    "pw: \"{kelp zebra}\"",
    "the pass is {kelpzebra}, ok",
    "Passwort: {schwertfisch}",
    "das Passwort lautet {schwertfisch}",
    "mot de passe : {espadon}",
    "la contraseña es {pezespada}",
    "contraseña: {pezespada}",
    "пароль: {рыбамеч}",
    "пароль {рыба77}",
    "密码：{剑鱼剑鱼}",
    "login: {larkspur} / {kelpzebra}",
    "login/pw {larkspur}/{kelpzebra}",
    "creds: {larkspur}:{kelpzebra}",
    "mysql -u root -p{kelpzebra} db",
    "sshpass -p {kelpzebra} ssh x",
    "tool --password {kelpzebra} run",
    "tool --token={kelpzebra} run",
    "tool -p {kelpzebra} run",
    "curl -u {larkspur:kelpzebra} there",
    "Authorization: Bearer {quarktokenquark}",
    "Authorization: Basic {cXVhcms=}",
    "send bearer {abc123quark}",
    "export SECRET_KEY={kelpzebra}",
    "DB_PASS={kelpzebra} ./run",
    "STRIPE_TOKEN = '{kelpzebra}'",
    "{\"password\": \"{kelpzebra}\", \"a\": 1}",
    "{\"clientSecret\":\"{kelpzebra}\"}",
    "api_key: {kelpzebra}",
    "api key is {kelpzebra}",
    "the wifi password for guests is {kelpzebra}",
    "changed the password to {kelpzebra}",
    "pw {hunter22}",
    "pin: {4821}",
    "pin {4821} works",
    "otp {482133}",
    "cvv {482}",
    "seed phrase: {quark lemon thistle bramble otter violin}",
    "passphrase: {correct quark battery}",
    "Cookie: {session=quark; other=lark}",
    "CREATE USER x IDENTIFIED BY '{kelpzebra}'",
    "requirepass {kelpzebra}",
    "{Tr0ub4dor&3} was it",
    "{Winter2024!} was it",
    "it is {P@ssw0rdQuark}",
    "p\u{200b}assword: {kelpzebra}",
    "ｐａｓｓｗｏｒｄ：{kelpzebra}",
    "**password**: `{kelpzebra}`",
    "password: ||{kelpzebra}||",
    "password -> {kelpzebra}",
    // Accounts.
    "ask {@larkspur_q} about it",
    "ask {<@812345678901234567>} about it",
    "ask {<@!812345678901234567>} about it",
    "in {<#812345678901234567>} now",
    "add {larkspur#4821} there",
    "ask {u/larkspurious} there",
    "hm {<:quarkmoji:812345678901234567>}",
    "username: {larkspur}",
    "id {812345678901234567}",
    // Paths.
    "in {/home/larkspur/notes.txt} now",
    "in {/Users/larkspur/Desktop} now",
    "in {C:\\Users\\larkspur\\Documents} now",
    "on {\\\\quarkserver\\share$} now",
    "as {QUARKDOM\\larkspur} now",
    "in {D:\\quarkdata\\customers.xls}",
    "in {~larkspur/public_html}",
    "in {/mnt/quarkshare/dump}",
    // Names.
    "ask {Quillon Brambleforth} about it",
    "ask {QUILLON BRAMBLEFORTH}'s team",
    "ask {quillon.brambleforth} about it",
    "ask {quillon_brambleforth} about it",
    "ask {QuillonBrambleforth} about it",
    "ask {quillonbrambleforth} about it",
    "ask {Brambleforth, Quillon} about it",
    "ask {qbrambleforth} about it",
    "\"{Odalys Vexmoor}\"!",
    "{Odalys Vexmoors} desk",
    "{Odalys\u{a0}Vexmoor} is here",
    "{Odalуs Vexmoor} has a Cyrillic letter",
    "the {project thistledown} starts",
    "from {Zorblatt Industries}.",
    "{Eve Marie Tourtelais} is here",
    "{ÈVE-MARIE TOURTELAIS} is here",
    "это {пахомий загогулин} там",
    "今日は{架空太郎}です",
    "{quillon.brambleforth2} too",
    "Mr. {Snickerdoodle} called",
    "my name is {Snickerdoodle}",
    "Frau {Larkspurmann} ruft an",
];

/// The sentence without its marks, and what they enclose.
fn marked(line: &str) -> (String, Vec<String>) {
    let (mut text, mut secrets) = (String::new(), Vec::new());
    let mut inside: Option<String> = None;
    let chars: Vec<char> = line.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let json = c == '{' && chars.get(at + 1) == Some(&'"');
        let end = c == '}' && inside.is_none();
        match c {
            '{' if !json => inside = Some(String::new()),
            '}' if !end => secrets.extend(inside.take()),
            _ => {
                text.push(c);
                if let Some(secret) = &mut inside {
                    secret.push(c);
                }
            }
        }
    }
    (text, secrets)
}

/// The parts of a secret of five characters, or the whole of its shorter words.
fn residue(secret: &str, out: &str) -> Option<String> {
    let chars: Vec<char> = secret.chars().collect();
    let size = chars.len().min(5);
    let mut parts = chars
        .windows(size)
        .map(|part| part.iter().collect::<String>());
    parts.find(|part| part.chars().any(char::is_alphanumeric) && out.contains(part.as_str()))
}

#[test]
fn nothing_of_a_planted_secret_remains() {
    assert!(PLANTED.len() >= 200, "{}", PLANTED.len());
    let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    let guard = Guard::new(&names).unwrap();
    let mut missed = Vec::new();
    for line in PLANTED {
        let (text, secrets) = marked(line);
        assert!(!secrets.is_empty(), "{line}");
        let mut replaced = Replaced::default();
        let out = guard.redact(&text, &mut replaced);
        for secret in &secrets {
            if let Some(part) = residue(secret, &out) {
                missed.push(format!("{text:?} -> {out:?} still has {part:?}"));
            }
        }
        assert!(replaced.total() > 0 || !missed.is_empty(), "{text}");
        assert_eq!(guard.redact(&out, &mut replaced), out, "{text}");
    }
    assert!(
        missed.is_empty(),
        "{} missed:\n{}",
        missed.len(),
        missed.join("\n")
    );
}
