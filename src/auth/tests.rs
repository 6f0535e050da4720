use std::time::Instant;

use super::*;
use crate::clock::NS_PER_SEC;

const DAY: i64 = 24 * 3600 * NS_PER_SEC;

struct Bench {
    _dir: tempfile::TempDir,
    /// Another process, such as `telltale token`.
    other: Catalog,
    clock: Clock,
    auth: Auth,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let clock = Clock::manual(100 * DAY);
    let other = Catalog::open(dir.path()).unwrap();
    let auth = Auth::open(catalog, clock.clone()).unwrap();
    Bench { _dir: dir, other, clock, auth }
}

fn spec(role: Role) -> TokenSpec {
    TokenSpec { name: "gate".to_owned(), role, devices: Some("pump-*".to_owned()), select: None }
}

/// Polls until `holds`, for at most `within`.
#[track_caller]
fn eventually(within: Duration, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < within, "not within {within:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_token_made_by_another_process_is_known_at_once_and_its_revocation_within_a_second() {
    let b = bench();
    let (secret, token) = create_token(&b.other, spec(Role::Agent), 1).unwrap();
    let grant = b.auth.token(secret.hash()).unwrap().unwrap();
    assert_eq!((grant.access.token(), grant.access.role(), grant.access.name()), (token.id, Role::Agent, "gate"));
    assert!(!grant.access.has_ended());
    assert!(b.auth.known(secret.hash()).is_some());

    b.other.revoke_token(token.id, 2).unwrap();
    eventually(Duration::from_secs(1), || grant.access.has_ended());
    assert!(b.auth.known(secret.hash()).is_none());
    assert!(b.auth.token(secret.hash()).unwrap().is_none());
}

#[test]
fn revoking_here_ends_access_at_once_and_spares_others() {
    let b = bench();
    let (one, two) = (b.auth.create_token(spec(Role::Agent)).unwrap(), b.auth.create_token(spec(Role::Viewer)).unwrap());
    let grants = [&one, &two].map(|(secret, _)| b.auth.token(secret.hash()).unwrap().unwrap());
    assert!(b.auth.revoke_token(one.1.id).unwrap());
    assert_eq!(grants.map(|grant| grant.access.has_ended()), [true, false]);
}

#[test]
fn a_secret_of_one_kind_is_none_of_another() {
    let b = bench();
    let (token, _) = b.auth.create_token(spec(Role::Admin)).unwrap();
    let code = b.auth.create_login_code(Role::Admin).unwrap();
    assert!(b.auth.session(token.hash()).unwrap().is_none());
    assert!(b.auth.token(code.hash()).unwrap().is_none());
    assert!(b.auth.login_by_token(code.reveal(), "b").unwrap().is_none());
    assert!(b.auth.login_by_code(token.reveal(), "b").unwrap().is_none());
    assert!(b.auth.use_ticket(token.reveal()).is_none());
}

#[test]
fn a_session_ends_thirty_days_after_its_last_use() {
    let b = bench();
    let code = b.auth.create_login_code(Role::Admin).unwrap();
    let session = b.auth.login_by_code(code.reveal(), "browser").unwrap().unwrap();
    let grant = b.auth.session(session.hash()).unwrap().unwrap();
    assert!(!b.auth.touch_due(&grant), "just made");
    b.clock.advance(29 * DAY);
    assert!(b.auth.touch_due(&grant));
    assert!(!b.auth.touch_due(&grant), "once");
    let By::Session(id) = grant.by else { panic!("a session") };
    b.auth.touch(id).unwrap();
    b.clock.advance(29 * DAY);
    b.auth.inner.refresh().unwrap();
    assert!(!grant.access.has_ended());
    b.clock.advance(2 * DAY);
    b.auth.inner.refresh().unwrap();
    assert!(grant.access.has_ended());
    assert!(b.auth.session(session.hash()).unwrap().is_none());
}

#[test]
fn sessions_survive_a_restart_and_end_with_their_token() {
    let b = bench();
    let (token, made) = b.auth.create_token(spec(Role::Viewer)).unwrap();
    let session = b.auth.login_by_token(token.reveal(), "browser").unwrap().unwrap();
    drop(b.auth);
    let again = Auth::open(Arc::new(b.other), b.clock).unwrap();
    let grant = again.session(session.hash()).unwrap().unwrap();
    assert_eq!((grant.access.role(), grant.access.token(), grant.access.scope().is_everything()), (Role::Viewer, made.id, false));
    assert!(again.revoke_token(made.id).unwrap());
    assert!(grant.access.has_ended());
}

#[test]
fn a_login_link_is_due_until_an_admin_has_a_session() {
    let b = bench();
    assert!(b.auth.login_due().unwrap());
    for (role, due) in [(Role::Viewer, true), (Role::Admin, false)] {
        let code = b.auth.create_login_code(role).unwrap();
        b.auth.login_by_code(code.reveal(), "browser").unwrap().unwrap();
        assert_eq!(b.auth.login_due().unwrap(), due, "{role:?}");
    }
    let code = b.auth.create_login_code(Role::Admin).unwrap();
    b.clock.advance(ns(limits::LOGIN_CODE));
    assert!(b.auth.login_by_code(code.reveal(), "browser").unwrap().is_none(), "too late");
}

#[test]
fn a_ticket_ends_with_the_access_it_was_made_from() {
    let b = bench();
    let (secret, token) = b.auth.create_token(spec(Role::Viewer)).unwrap();
    let access = b.auth.token(secret.hash()).unwrap().unwrap().access.clone();
    let tickets = [(); 2].map(|()| b.auth.create_ticket(access.clone()).unwrap());
    assert_eq!(b.auth.use_ticket(tickets[0].reveal()).unwrap().token(), token.id);
    b.auth.revoke_token(token.id).unwrap();
    assert!(b.auth.use_ticket(tickets[1].reveal()).is_none());
}
