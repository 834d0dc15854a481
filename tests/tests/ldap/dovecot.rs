//! Dovecot: people sign in by IMAP over TLS, each by a search and a bind, and its tools list everybody.

use crate::stage::{Cast, Road, stages};
use landbridge_tests::lab::Person;
use landbridge_tests::lab::dovecot::Dovecot;
use std::fs;

/// The number of this test's people.
const CAST: u32 = 3;
#[test]
fn people_read_mail_by_imap_and_each_other_kind_is_refused() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let by = stage.application("dovecot", &[]);
        let secret = fs::read_to_string(by.secret.file()).unwrap();
        let dovecot = Dovecot::start(&stage.server, &by.name, &secret).unwrap();
        let Cast { direct, nested, stranger, disabled, expired, locked, changed } = &cast;
        let right = |who: &Person| dovecot.signs_in(&who.sam, &who.password).unwrap();
        // 1. One alone first: until an agent has had a good sign-in, it lets one failed bind for each account through, and
        // declines the right password beside it.
        assert!(dovecot.signs_in(&direct.upn, &direct.password).unwrap());
        // Then everybody at once, through Dovecot's one connection.
        let kinds = [
            (direct, direct.password.clone(), true),
            (nested, nested.password.clone(), true),
            (locked, locked.password.clone(), true),
            (direct, direct.wrong_password(), false),
            (stranger, stranger.password.clone(), false),
            (disabled, disabled.password.clone(), false),
            (expired, expired.password.clone(), false),
        ];
        std::thread::scope(|scope| {
            for (who, password, expected) in &kinds {
                let (dovecot, road) = (&dovecot, stage.road);
                scope.spawn(move || {
                    assert_eq!(
                        dovecot.signs_in(&who.sam, password).unwrap(),
                        *expected,
                        "{road:?}: {}",
                        who.sam
                    );
                });
            }
        });
        // 2. Its own questions: where somebody's mail is, and who there is.
        let home = dovecot.user(&nested.sam).unwrap().expect_code(0);
        assert!(home.stdout.contains("home\t/srv/mail/"), "{home}");
        assert_ne!(dovecot.user(&stranger.sam).unwrap().code, Some(0));
        let everybody = dovecot.user("*").unwrap().expect_code(0);
        for (who, there) in [(direct, true), (nested, true), (stranger, false)] {
            assert_eq!(everybody.stdout.lines().any(|line| line == who.sam), there, "{everybody}");
        }
        // 3. A password that changed in AD a moment before.
        assert!(right(changed));
        let new = "Changed a moment before (3)";
        stage.domain.set_password(&changed.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        assert!(!right(changed));
        assert!(dovecot.signs_in(&changed.sam, new).unwrap());
        // 4. The lockout, after ten. A guess that a busy tenant refuses undecided (51, 52) does not count.
        for guess in 0..12 {
            assert!(!dovecot.signs_in(&locked.sam, &format!("guess {guess}")).unwrap());
        }
        assert!(!right(locked));
    }
}
