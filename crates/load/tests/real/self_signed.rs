//! A server that vouches for itself, as `openssl req -x509` makes it: believed when its owner names its certificate.

use crate::papers::papers;
use crate::secret_peer::{OK, SHOWN, Shown, always, asked, server};
use crate::secure::EACH_VERSION;

#[test]
fn a_certificate_that_its_owner_named_is_believed() {
    let Some(papers) = papers() else { return };
    for versions in EACH_VERSION {
        let shown = Shown {
            certificate: "alone",
            versions,
            ..SHOWN
        };
        let peer = server(papers, &shown, always(OK));
        let plan = asked(papers, &peer).with("tls/ca", papers.text("alone.pem"));
        plan.times(2, 10).run().all_well(10);
        // Among others it is named as well.
        let both = asked(papers, &peer).with("tls/ca", papers.text("both.pem"));
        both.times(2, 10).run().all_well(10);
        // Not named, it is no more than a stranger.
        asked(papers, &peer).times(1, 2).run().all_failed("tls", 2);
    }
}

#[test]
fn it_has_to_be_the_very_one() {
    let Some(papers) = papers() else { return };
    let shown = Shown {
        certificate: "alone",
        ..SHOWN
    };
    let peer = server(papers, &shown, always(OK));
    // Of the same name, but with another key.
    let plan = asked(papers, &peer).with("tls/ca", papers.text("twin.pem"));
    plan.times(1, 2).run().all_failed("tls", 2);
}

#[test]
fn its_name_and_its_time_are_checked_all_the_same() {
    let Some(papers) = papers() else { return };
    for certificate in ["alone_elsewhere", "alone_old"] {
        let shown = Shown {
            certificate,
            ..SHOWN
        };
        let peer = server(papers, &shown, always(OK));
        let named = papers.text(&format!("{certificate}.pem"));
        let plan = asked(papers, &peer).with("tls/ca", named);
        plan.clone().times(1, 2).run().all_failed("tls", 2);
        plan.with("tls/verify", false).run().all_well(1);
    }
}
