//! Tokens, sessions and login codes. Callers bring hashes; no secret comes here.

use rusqlite::{OptionalExtension, Row, params};

use super::{Catalog, CatalogError, sums};
use crate::auth::access::{Role, Scope};
use crate::auth::secret::Hash;
use crate::limits;
use crate::model::{TimeNs, TokenId};
use crate::query::selector::{Glob, Selector};

/// What a new token is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSpec {
    pub name: String,
    pub role: Role,
    /// As written; checked by [`TokenSpec::scope`].
    pub devices: Option<String>,
    pub select: Option<String>,
}

impl TokenSpec {
    /// The scope, or what is wrong with it.
    pub fn scope(&self) -> Result<Scope, crate::query::selector::SelectorError> {
        Ok(Scope {
            devices: self.devices.as_deref().map(Glob::parse).transpose()?,
            select: self.select.as_deref().map(Selector::parse).transpose()?,
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub id: TokenId,
    pub spec: TokenSpec,
    pub created: TimeNs,
    pub revoked: Option<TimeNs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub i64);

#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub id: SessionId,
    pub role: Role,
    /// The token that was typed in; None: a login link.
    pub token: Option<Token>,
    /// The browser, as it names itself.
    pub client: String,
    pub created: TimeNs,
    pub used: TimeNs,
}

/// As `sums::TOKENS` has them, with the checksum behind them: a row that begins so is judged as it is read.
const TOKEN_COLUMNS: &str = "tokens.id, tokens.name, tokens.role, tokens.devices, tokens.selector, tokens.hash, tokens.created, \
                             tokens.revoked, tokens.sum";
const TOKEN_COLUMN_COUNT: usize = 9;
const SESSION_COLUMNS: &str = "sessions.id, sessions.role, sessions.client, sessions.created, sessions.used, sessions.token";

/// Sessions behind their tokens; the columns of a token are NULL where a session has none.
fn select_sessions(which: &str) -> String {
    format!("SELECT {TOKEN_COLUMNS}, {SESSION_COLUMNS} FROM sessions LEFT JOIN tokens ON tokens.id = sessions.token WHERE {which}")
}

impl Catalog {
    pub fn create_token(&self, spec: &TokenSpec, hash: Hash, now: TimeNs) -> Result<TokenId, CatalogError> {
        self.write("add a token to", |db| {
            db.execute(
                "INSERT INTO tokens (name, role, devices, selector, hash, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![spec.name, spec.role.as_str(), spec.devices, spec.select, hash.as_bytes(), now],
            )?;
            let id = db.last_insert_rowid();
            sums::put(db, sums::TOKENS, id)?;
            token_id(id)
        })
    }

    /// The token of this hash, if it is not revoked. One whose row is damaged could reach more than it was given: it is none.
    pub fn token(&self, hash: Hash) -> Result<Option<Token>, CatalogError> {
        self.read("read tokens from", |db| {
            let sql = format!("SELECT {TOKEN_COLUMNS} FROM tokens WHERE hash = ?1 AND revoked IS NULL");
            let found = db.query_row(&sql, [hash.as_bytes()], |row| {
                if sums::is_right(row, sums::TOKENS)? {
                    return read_token(row).map(Some);
                }
                let id: i64 = row.get(0)?;
                tracing::error!(id, "a token's row in the catalog is damaged: it lets nobody in; revoke it and make another");
                Ok(None)
            });
            found.optional().map(Option::flatten)
        })
    }

    /// All that are not revoked and not damaged, oldest first.
    pub fn tokens(&self) -> Result<Vec<Token>, CatalogError> {
        let sql = format!("SELECT {TOKEN_COLUMNS} FROM tokens WHERE revoked IS NULL ORDER BY id");
        self.read("read tokens from", |db| {
            let (mut ask, mut tokens) = (db.prepare(&sql)?, Vec::new());
            let mut rows = ask.query([])?;
            while let Some(row) = rows.next()? {
                if sums::is_right(row, sums::TOKENS)? {
                    tokens.push(read_token(row)?);
                }
            }
            Ok(tokens)
        })
    }

    /// False: there is no such token, or it was revoked before. Its sessions end with it.
    pub fn revoke_token(&self, id: TokenId, now: TimeNs) -> Result<bool, CatalogError> {
        self.write("revoke a token in", |db| {
            db.execute("DELETE FROM sessions WHERE token = ?1", [id.0])?;
            let revoked = db.execute("UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL", params![id.0, now])? == 1;
            sums::put(db, sums::TOKENS, id.0.into())?;
            Ok(revoked)
        })
    }

    pub fn create_session(
        &self,
        hash: Hash,
        role: Role,
        token: Option<TokenId>,
        client: &str,
        now: TimeNs,
    ) -> Result<SessionId, CatalogError> {
        self.write("add a session to", |db| insert_session(db, hash, role, token, client, now))
    }

    /// The session of this hash, if it was used since `since` and its token's row is not damaged.
    pub fn session(&self, hash: Hash, since: TimeNs) -> Result<Option<Session>, CatalogError> {
        let sql = select_sessions("sessions.hash = ?1 AND sessions.used > ?2");
        self.read("read sessions from", |db| {
            db.query_row(&sql, params![hash.as_bytes(), since], read_session).optional().map(Option::flatten)
        })
    }

    /// Without those whose token's row is damaged: they let nobody in.
    pub fn sessions(&self, since: TimeNs) -> Result<Vec<Session>, CatalogError> {
        let sql = select_sessions("sessions.used > ?1 ORDER BY sessions.id");
        self.read("read sessions from", |db| {
            let found = db.prepare(&sql)?.query_map([since], read_session)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(found.into_iter().flatten().collect())
        })
    }

    pub fn touch_session(&self, id: SessionId, now: TimeNs) -> Result<(), CatalogError> {
        self.write("update a session in", |db| db.execute("UPDATE sessions SET used = ?2 WHERE id = ?1", params![id.0, now]).map(drop))
    }

    pub fn end_session(&self, id: SessionId) -> Result<bool, CatalogError> {
        self.write("end a session in", |db| Ok(db.execute("DELETE FROM sessions WHERE id = ?1", [id.0])? == 1))
    }

    /// Also forgets codes and sessions that have expired, so that neither table grows without end.
    pub fn create_login_code(
        &self,
        hash: Hash,
        role: Role,
        expires: TimeNs,
        now: TimeNs,
        sessions_since: TimeNs,
    ) -> Result<(), CatalogError> {
        self.write("add a login code to", |db| {
            db.execute("DELETE FROM login_codes WHERE expires <= ?1", [now])?;
            db.execute("DELETE FROM sessions WHERE used <= ?1", [sessions_since])?;
            db.execute(
                "INSERT INTO login_codes (hash, role, expires) VALUES (?1, ?2, ?3)",
                params![hash.as_bytes(), role.as_str(), expires],
            )?;
            let sql = "DELETE FROM login_codes WHERE hash IN (SELECT hash FROM login_codes ORDER BY expires DESC LIMIT -1 OFFSET ?1)";
            db.execute(sql, [limits::LOGIN_CODES]).map(drop)
        })
    }

    /// Uses up the code and opens a session, in one step: a code opens one session, whatever happens between. None: the code is
    /// unknown, used or expired.
    pub fn redeem_login_code(&self, code: Hash, session: Hash, client: &str, now: TimeNs) -> Result<Option<Session>, CatalogError> {
        self.write("use a login code of", |db| {
            let sql = "DELETE FROM login_codes WHERE hash = ?1 AND expires > ?2 RETURNING role";
            let Some(role) = db.query_row(sql, params![code.as_bytes(), now], |row| read_role(row, 0)).optional()? else {
                return Ok(None);
            };
            let id = insert_session(db, session, role, None, client, now)?;
            Ok(Some(Session { id, role, token: None, client: client.to_owned(), created: now, used: now }))
        })
    }
}

fn insert_session(
    db: &rusqlite::Connection,
    hash: Hash,
    role: Role,
    token: Option<TokenId>,
    client: &str,
    now: TimeNs,
) -> rusqlite::Result<SessionId> {
    db.execute(
        "INSERT INTO sessions (hash, role, token, client, created, used) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![hash.as_bytes(), role.as_str(), token.map(|id| id.0), client, now],
    )?;
    let id = SessionId(db.last_insert_rowid());
    let sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?1)";
    db.execute(sql, [limits::SESSIONS])?;
    Ok(id)
}

fn token_id(rowid: i64) -> rusqlite::Result<TokenId> {
    u32::try_from(rowid).map(TokenId).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, rowid))
}

fn read_role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let text: String = row.get(column)?;
    Role::parse(&text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, format!("{text:?} is no role").into())
    })
}

fn read_token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: token_id(row.get(0)?)?,
        spec: TokenSpec { name: row.get(1)?, role: read_role(row, 2)?, devices: row.get(3)?, select: row.get(4)? },
        created: row.get(6)?,
        revoked: row.get(7)?,
    })
}

/// Of a row of `select_sessions`. None: the token's row is damaged, or not found any more. Without its token's bounds it would reach more
/// than it was given.
fn read_session(row: &Row<'_>) -> rusqlite::Result<Option<Session>> {
    let own = |column: usize| TOKEN_COLUMN_COUNT + column;
    let token: Option<i64> = row.get(0)?;
    if !sums::is_right(row, sums::TOKENS)? || token != row.get(own(5))? {
        return Ok(None);
    }
    Ok(Some(Session {
        id: SessionId(row.get(own(0))?),
        role: read_role(row, own(1))?,
        token: token.is_some().then(|| read_token(row)).transpose()?,
        client: row.get(own(2))?,
        created: row.get(own(3))?,
        used: row.get(own(4))?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret::Secret;

    fn spec(role: Role) -> TokenSpec {
        TokenSpec { name: "n".to_owned(), role, devices: Some("a*".to_owned()), select: None }
    }

    fn hash() -> Hash {
        Secret::token().unwrap().hash()
    }

    #[test]
    fn token_ids_are_never_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let first = catalog.create_token(&spec(Role::Agent), hash(), 1).unwrap();
        assert!(catalog.revoke_token(first, 2).unwrap());
        assert!(!catalog.revoke_token(first, 3).unwrap());
        catalog.connection.lock().execute("DELETE FROM tokens", []).unwrap();
        let second = catalog.create_token(&spec(Role::Agent), hash(), 4).unwrap();
        assert_eq!((first, second), (TokenId(1), TokenId(2)));
    }

    #[test]
    fn a_token_is_found_by_its_hash_until_it_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let key = hash();
        let id = catalog.create_token(&spec(Role::Viewer), key, 1).unwrap();
        let token = Token { id, spec: spec(Role::Viewer), created: 1, revoked: None };
        assert_eq!(catalog.token(key).unwrap(), Some(token.clone()));
        assert_eq!(catalog.token(hash()).unwrap(), None);
        let session = hash();
        catalog.create_session(session, Role::Viewer, Some(id), "browser", 5).unwrap();
        assert_eq!(catalog.session(session, 4).unwrap().unwrap().token, Some(token));
        catalog.revoke_token(id, 6).unwrap();
        assert_eq!(catalog.token(key).unwrap(), None);
        assert_eq!(catalog.session(session, 4).unwrap(), None, "sessions end with their token");
    }

    #[test]
    fn a_login_code_opens_one_session_and_only_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let (code, late) = (hash(), hash());
        for code in [code, late] {
            catalog.create_login_code(code, Role::Admin, 100, 1, 0).unwrap();
        }
        assert_eq!(catalog.redeem_login_code(hash(), hash(), "b", 50).unwrap(), None);
        assert_eq!(catalog.redeem_login_code(code, hash(), "b", 50).unwrap().unwrap().role, Role::Admin);
        assert_eq!(catalog.redeem_login_code(code, hash(), "b", 51).unwrap(), None, "used");
        assert_eq!(catalog.redeem_login_code(late, hash(), "b", 100).unwrap(), None, "expired");
        assert_eq!(catalog.sessions(0).unwrap().len(), 1);
        assert_eq!(catalog.sessions(50).unwrap().len(), 0, "not used since");
    }

    #[test]
    fn the_oldest_sessions_and_codes_make_room_at_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        // Filled behind the catalog's back: one by one, each would be synced.
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) ";
        let sessions = "INSERT INTO sessions (hash, role, client, created, used) SELECT randomblob(32), 'viewer', '', i, i FROM n";
        let codes = "INSERT INTO login_codes (hash, role, expires) SELECT randomblob(32), 'viewer', 1000000 + i FROM n";
        for (rows, most) in [(sessions, limits::SESSIONS), (codes, limits::LOGIN_CODES)] {
            let (into, from) = rows.split_once(" SELECT").unwrap();
            catalog.connection.lock().execute(&format!("{into} {fill} SELECT{from}"), [most]).unwrap();
        }
        catalog.create_session(hash(), Role::Viewer, None, "new", 50_000).unwrap();
        let open = catalog.sessions(0).unwrap();
        assert_eq!((u32::try_from(open.len()).unwrap(), open[0].used, open.last().unwrap().used), (limits::SESSIONS, 2, 50_000));
        let code = hash();
        catalog.create_login_code(code, Role::Admin, 2_000_000, 1, 0).unwrap();
        let left: u32 = catalog.connection.lock().query_row("SELECT count(*) FROM login_codes", [], |row| row.get(0)).unwrap();
        assert_eq!(left, limits::LOGIN_CODES);
        assert!(catalog.redeem_login_code(code, hash(), "b", 2).unwrap().is_some());
    }

    #[test]
    fn a_token_whose_row_is_damaged_lets_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let hash = hash();
        let id = catalog.create_token(&spec(Role::Viewer), hash, 5).unwrap();
        let session = catalog.create_session(Hash::of("s"), Role::Viewer, Some(id), "b", 5).unwrap();
        let other = catalog.create_session(Hash::of("o"), Role::Viewer, None, "b", 5).unwrap();
        let seen = || (catalog.token(hash).unwrap().is_some(), catalog.tokens().unwrap().len(), catalog.session(Hash::of("s"), 0).unwrap());
        assert!(matches!(seen(), (true, 1, Some(Session { id, .. })) if id == session));
        for role in ["admin", "viewes"] {
            catalog.connection.lock().execute("UPDATE tokens SET role = ?1", [role]).unwrap();
            assert!(catalog.token(hash).unwrap().is_none(), "{role}");
            assert_eq!(catalog.tokens().unwrap(), [], "{role}");
            assert_eq!(catalog.session(Hash::of("s"), 0).unwrap(), None, "{role}");
            assert_eq!(catalog.sessions(0).unwrap().iter().map(|session| session.id).collect::<Vec<_>>(), [other], "{role}");
        }
        assert!(catalog.revoke_token(id, 9).unwrap(), "it can be revoked");
        let session = catalog.create_session(Hash::of("s"), Role::Viewer, Some(id), "b", 5).unwrap();
        catalog.connection.lock().execute_batch("PRAGMA foreign_keys = off; UPDATE tokens SET id = 99").unwrap();
        assert_eq!(catalog.session(Hash::of("s"), 0).unwrap(), None, "{session:?} has no bounds without its token");
    }
}
