//! What is a host name: by its top-level domain, its parts, or the role words in it.

/// Top-level domains, public and private: a data table.
const TOP: &str = " com net org edu gov mil int arpa info biz name pro coop museum aero jobs mobi \
travel tel cat asia post xxx onion local lan internal corp home intranet localdomain private domain \
test invalid example localhost lab office priv cluster svc consul vpn dmz io dev app cloud online site \
tech store shop blog xyz top club live life world today space website digital agency systems \
solutions services network email group company team tools zone media news center bank finance \
money capital ventures studio design academy school university health care clinic dental hospital \
law legal consulting engineering energy software computer technology hosting host support global \
international academy page wiki chat social link click work works run host fun icu vip one ltd llc \
gmbh inc berlin hamburg koeln wien paris london nyc tokyo amsterdam swiss bayern eus gal scot \
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv \
bw by bz ca cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er \
es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht \
hu id ie il im in iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt \
lu lv ly ma mc me mg mh ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr \
nu nz om pa pe pf pg ph pk pn pr pt pw qa re ro ru rw sa sb sc sd se sg si sj sk sl sm sn sr \
ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg \
vi vn vu wf ws ye yt za zm zw рф 中国 ";

/// Country domains that are also endings of files: hosts with three labels or more only.
const ENDINGS: &str = " py md sh rs pl cc ps so mk cat ";

/// What hosts are called after.
const ROLES: &str = " srv server web www db sql mysql pg postgres mongo redis kafka app host node mail mx smtp \
imap pop exchange dc ad ldap fs nas san vm esx esxi hv sw switch rtr router fw firewall gw gateway ns dns \
dhcp ntp lb proxy k8s kube master worker slave replica jump jumphost bastion vpn prod prd production stg stage \
staging dev devel uat qa test preprod build ci cd runner jenkins gitlab git jira wiki nexus registry \
artifactory vault consul grafana prometheus kibana elastic elk log logs monitor nagios zabbix backup bkp \
store storage file fileserver ftp sftp print printer prn lp pc ws wks workstation laptop lap ltp desktop dsk \
win lnx linux ubuntu debian rhel centos kali mac macbook imac ip ec2 api auth sso portal intranet cache queue \
rabbit mq batch cron etl hadoop spark oracle mssql sap erp crm hr cam camera ap wifi wlan ipmi idrac ilo bmc \
pdu ups rack edge core dist access cluster pod box pi raspberrypi rpi android iphone ipad terminal citrix rds \
rdp term controller mgmt admin console primary secondary standby dr ";

/// First labels that make a host of whatever follows the dot.
const FIRST: &str = " www mail smtp imap pop pop3 ftp sftp vpn git gitlab jenkins jira wiki confluence intranet \
portal vault grafana kibana nexus registry sso ldap ns1 ns2 mx mx1 autodiscover webmail owa bastion ";

/// What makes an ordinary word of two: "web-server", "db-api".
const GENERAL: &str = " server app api store admin console queue cache devel log logs client host box mail \
file store storage access build test controller terminal page ";

/// Whether a label is a top-level domain.
pub(super) fn is_top(label: &[u8]) -> bool {
    lower(label).is_some_and(|label| among(TOP, &label))
}

fn among(list: &str, label: &str) -> bool {
    let mut found = list.match_indices(label);
    let bytes = list.as_bytes();
    found.any(|(at, _)| bytes[at - 1] == b' ' && bytes[at + label.len()] == b' ')
}

fn lower(label: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(label).ok()?;
    (!text.is_empty() && text.len() <= 63).then(|| text.to_lowercase())
}

/// `found`: labels with dots between them, plain or defanged.
pub(super) fn is_qualified(found: &[u8]) -> bool {
    if found.iter().any(|byte| b"[({".contains(byte)) {
        return true;
    }
    let labels: Vec<&[u8]> = found.split(|&byte| byte == b'.').collect();
    let (Some(first), Some(last)) = (
        labels.first().and_then(|label| lower(label)),
        labels.last().and_then(|label| lower(label)),
    ) else {
        return false;
    };
    let letters = labels
        .iter()
        .any(|label| label.iter().any(u8::is_ascii_alphabetic));
    let digits = |label: &&[u8]| label.iter().any(u8::is_ascii_digit);
    if labels.len() == 2 && among(ENDINGS, &last) {
        return false;
    }
    if last.starts_with("xn--") || among(FIRST, &first) {
        return true;
    }
    // "e.g.is", "i.e.no": what is before the dot is a host's only from two letters.
    if among(TOP, &last) || (labels.len() > 2 && among(ENDINGS, &last)) {
        return labels
            .iter()
            .any(|label| label.len() > 1 && !label.iter().all(u8::is_ascii_digit))
            && (labels.len() > 2 || first.len() > 1);
    }
    let lettered = |label: &&&[u8]| label.iter().any(u8::is_ascii_alphabetic);
    let mixed = labels.iter().filter(lettered);
    let odd = mixed
        .filter(|label| label.contains(&b'-') || digits(label))
        .count();
    let label_is_host = labels.iter().any(|label| is_single(label));
    letters && label_is_host || (labels.len() > 2 && letters && odd > 0 && named_label(&last))
}

fn named_label(label: &str) -> bool {
    label.len() > 1 && label.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A host by its own name: `db-prod-03`, `srv01`, `LAPTOP-7F3K2Q`.
pub(super) fn is_single(label: &[u8]) -> bool {
    let parts: Vec<&[u8]> = label
        .split(|&byte| byte == b'-' || byte == b'_')
        .filter(|part| !part.is_empty())
        .collect();
    let digits = label.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mut roles = 0;
    for part in &parts {
        let stem = part
            .iter()
            .position(u8::is_ascii_digit)
            .unwrap_or(part.len());
        let tail_is_number = part[stem..].iter().all(u8::is_ascii_digit);
        let known = lower(&part[..stem]).is_some_and(|stem| among(ROLES, &stem));
        roles += usize::from(known && tail_is_number);
    }
    let Some(last) = parts.last() else {
        return false;
    };
    match parts.len() {
        // "web2" and "win10" are words, "web02" is not; one digit on a name that is only a host's.
        1 => roles == 1 && (digits >= 2 && !common(label) || digits == 1 && unmistakable(label)),
        // "ip-based" is a word, "prod-db" a host.
        2 => {
            let zero = last[0] == b'0' && last.len() > 1 && last.iter().all(u8::is_ascii_digit);
            let ordinary = last.iter().all(|byte| !byte.is_ascii_digit());
            let general = lower(last).is_some_and(|last| among(GENERAL, &last));
            roles == 2 && !(ordinary && general)
                || zero
                || (roles == 1 && digits > 0 && !ordinary)
                || (roles == 1 && digits > 1)
        }
        _ => {
            let ends = last.last().is_some_and(u8::is_ascii_digit);
            let letters = parts[0].iter().all(u8::is_ascii_alphabetic);
            roles >= 2 || (roles == 1 && digits > 0) || (ends && letters && parts[0].len() <= 8)
        }
    }
}

fn common(label: &[u8]) -> bool {
    lower(label)
        .is_some_and(|label| among(" win10 win11 win95 win98 win32 win64 mac64 mp3 ", &label))
}

fn unmistakable(label: &[u8]) -> bool {
    let stem: Vec<u8> = label
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_digit())
        .collect();
    lower(&stem).is_some_and(|stem| {
        among(
            " srv server db node vm esx esxi dc fw gw ns lb nas mx rtr k8s fileserver prod ",
            &stem,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{is_qualified, is_single};

    #[test]
    fn names_of_hosts_are_told_from_words() {
        for host in [
            "db-prod-03",
            "srv01",
            "LAPTOP-7F3K2Q",
            "nyc-core-01",
            "prod-db",
            "web-2",
            "vm7",
        ] {
            assert!(is_single(host.as_bytes()), "{host}");
        }
        for word in [
            "covid-19",
            "web2",
            "mp3",
            "utf-8",
            "well-known",
            "python3",
            "day-to-day",
            "x86-64",
        ] {
            assert!(!is_single(word.as_bytes()), "{word}");
        }
        for host in [
            "a1.example.com",
            "git.acme",
            "mail[.]acme[.]test",
            "db01.rack",
            "nas.local",
        ] {
            assert!(is_qualified(host.as_bytes()), "{host}");
        }
        for word in [
            "os.path.join",
            "README.md",
            "e.g",
            "i.e",
            "3.11",
            "setup.py",
            "v1.2",
        ] {
            assert!(!is_qualified(word.as_bytes()), "{word}");
        }
    }
}
