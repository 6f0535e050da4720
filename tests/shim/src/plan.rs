//! What the environment asks of the shim: which calls fail, and which syncs are left out.

/// A kind of call that can be counted, made to fail, or (a sync) left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// An open that makes a file.
    Create,
    Write,
    Truncate,
    Allocate,
    Fsync,
    Fdatasync,
    Rename,
    Unlink,
    Mkdir,
    Link,
}

impl Op {
    pub(crate) const ALL: [(Self, &str); 10] = [
        (Self::Create, "create"),
        (Self::Write, "write"),
        (Self::Truncate, "truncate"),
        (Self::Allocate, "allocate"),
        (Self::Fsync, "fsync"),
        (Self::Fdatasync, "fdatasync"),
        (Self::Rename, "rename"),
        (Self::Unlink, "unlink"),
        (Self::Mkdir, "mkdir"),
        (Self::Link, "link"),
    ];

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(op, _)| *op)
    }
}

/// `nth=123,op=fdatasync,errno=EIO`: from the nth call of a kind on, counted from 1, `times` calls fail (default 1). With `short=1` the
/// first of them writes half of its bytes instead. With `every=1` each nth call fails, `times` of them. With `path=store/2*` only calls
/// on such paths count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fail {
    pub(crate) op: Op,
    pub(crate) nth: u64,
    pub(crate) times: u64,
    pub(crate) errno: i32,
    pub(crate) short: bool,
    pub(crate) every: bool,
    pub(crate) path: String,
}

impl Fail {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fail = Self { op: Op::Write, nth: 0, times: 1, errno: libc::EIO, short: false, every: false, path: "*".to_owned() };
        for part in text.split(',') {
            match part.split_once('=')? {
                ("op", value) => fail.op = Op::parse(value)?,
                ("nth", value) => fail.nth = value.parse().ok()?,
                ("times", value) => fail.times = value.parse().ok()?,
                ("errno", "EIO") => fail.errno = libc::EIO,
                ("errno", "ENOSPC") => fail.errno = libc::ENOSPC,
                ("short", value) => fail.short = value == "1",
                ("every", value) => fail.every = value == "1",
                ("path", value) => value.clone_into(&mut fail.path),
                _ => return None,
            }
        }
        (fail.nth > 0).then_some(fail)
    }

    /// Whether it is about calls like this one.
    fn meets(&self, op: Op, path: &str) -> bool {
        self.op == op && is_like(path, &self.path)
    }

    /// What becomes of one of them, by its number.
    fn fate(&self, call: u64) -> Option<Fate> {
        let fails = if self.every {
            call.is_multiple_of(self.nth) && call / self.nth <= self.times
        } else {
            (self.nth..self.nth.saturating_add(self.times)).contains(&call)
        };
        fails.then_some(if self.short && call == self.nth { Fate::Short } else { Fate::Fail(self.errno) })
    }
}

/// One path, or with `*` at its end all that begin so.
fn is_like(path: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(path == pattern, |start| path.starts_with(start))
}

/// `fsync,fdatasync@store/*`: syncs that are left out, of every path, of one, or of those that begin so. The watched directory itself is
/// the empty path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    ops: Vec<Op>,
    path: String,
}

impl Skip {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ops, path) = text.split_once('@').unwrap_or((text, "*"));
        let ops: Option<Vec<_>> = ops.split(',').map(Op::parse).collect();
        Some(Self { ops: ops?, path: path.to_owned() })
    }

    fn meets(&self, op: Op, path: &str) -> bool {
        self.ops.contains(&op) && is_like(path, &self.path)
    }
}

/// `fsync,fdatasync@store/2*=60`: syncs, as those that are left out are named, that take so many seconds more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slow {
    which: Skip,
    pub(crate) seconds: u64,
}

impl Slow {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (which, seconds) = text.rsplit_once('=')?;
        Some(Self { which: Skip::parse(which)?, seconds: seconds.parse().ok()? })
    }

    pub(crate) fn meets(&self, op: Op, path: &str) -> bool {
        self.which.meets(op, path)
    }
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Real,
    Fail(i32),
    /// Half of the bytes.
    Short,
    /// Nothing is done, and success is claimed.
    Skip,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) fail: Option<Fail>,
    /// Calls that it is about.
    met: u64,
    pub(crate) skip: Option<Skip>,
    pub(crate) calls: [u64; Op::ALL.len()],
}

impl Plan {
    pub(crate) fn new(fail: Option<&str>, skip: Option<&str>) -> Self {
        // A mistake in it must not look like a test that passed.
        let fail = fail.map(|text| Fail::parse(text).unwrap_or_else(|| panic!("TELLTALE_SHIM_FAIL={text}")));
        let skip = skip.map(|text| Skip::parse(text).unwrap_or_else(|| panic!("TELLTALE_SHIM_SKIP={text}")));
        Self { fail, skip, ..Self::default() }
    }

    /// Counts the call and says what becomes of it.
    pub(crate) fn next(&mut self, op: Op, path: &str) -> Fate {
        self.calls[op as usize] += 1;
        let fail = self.fail.as_ref().filter(|fail| fail.meets(op, path));
        self.met += u64::from(fail.is_some());
        if let Some(fate) = fail.and_then(|fail| fail.fate(self.met)) {
            return fate;
        }
        if self.skip.as_ref().is_some_and(|skip| skip.meets(op, path)) { Fate::Skip } else { Fate::Real }
    }

    pub(crate) fn report(&self) -> String {
        Op::ALL.iter().map(|(op, name)| format!("{name} {}\n", self.calls[*op as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_of_its_kind_fails() {
        let mut plan = Plan::new(Some("nth=2,op=write,errno=ENOSPC,times=2,short=1"), Some("fsync"));
        let fates: Vec<_> = (0..4).map(|_| plan.next(Op::Write, "a")).collect();
        assert_eq!(fates, [Fate::Real, Fate::Short, Fate::Fail(libc::ENOSPC), Fate::Real]);
        assert_eq!((plan.next(Op::Fsync, "a"), plan.next(Op::Fdatasync, "a")), (Fate::Skip, Fate::Real));
        assert!(plan.report().starts_with("create 0\nwrite 4\n"));
    }

    #[test]
    fn each_nth_call_on_a_path_fails() {
        let mut plan = Plan::new(Some("nth=2,op=write,errno=ENOSPC,every=1,times=2,path=store/2*"), None);
        let paths = ["store/2a", "log/1", "store/2a", "store/2b", "store/2a", "store/2a", "store/2a"];
        let fates: Vec<_> = paths.iter().map(|path| plan.next(Op::Write, path) != Fate::Real).collect();
        assert_eq!(fates, [false, false, true, false, true, false, false]);
    }

    #[test]
    fn syncs_are_left_out_by_path() {
        let rows = [
            ("fsync", Op::Fsync, "log", true),
            ("fsync", Op::Fdatasync, "log", false),
            ("fsync,fdatasync@log/*", Op::Fdatasync, "log/1.seg", true),
            ("fsync,fdatasync@log/*", Op::Fsync, "log", false),
            ("fsync@log", Op::Fsync, "log", true),
            ("fsync@log", Op::Fsync, "log/1.seg", false),
            ("fsync@", Op::Fsync, "", true),
        ];
        for (text, op, path, expected) in rows {
            assert_eq!(Skip::parse(text).unwrap().meets(op, path), expected, "{text} {path}");
        }
    }

    #[test]
    fn syncs_are_slow_by_path() {
        let slow = Slow::parse("fsync,fdatasync@store/2*=60").unwrap();
        assert_eq!(slow.seconds, 60);
        assert!(slow.meets(Op::Fdatasync, "store/2026-11-30.sqlite") && !slow.meets(Op::Fsync, "store/state"));
        assert_eq!([Slow::parse("fsync"), Slow::parse("chmod=1"), Slow::parse("fsync=soon")], [None, None, None]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["", "nth=1,op=chmod", "op=write", "nth=x,op=write", "nth=1,errno=EPERM"] {
            assert_eq!(Fail::parse(text), None, "{text}");
        }
    }
}
