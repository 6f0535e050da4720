//! `telltale token create|list|revoke`: writes the catalog itself, whether the hub runs or not; a running hub notices.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Failure, Place, offline, owner, print};
use crate::auth;
use crate::catalog::{Catalog, FILE_NAME};
use crate::clock::Clock;
use crate::http::tokens::spec;
use crate::model::TokenId;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Print a new token, this once
    Create(Create),
    /// List the tokens that are not revoked
    List(Place),
    /// End a token; its connections are closed within a second
    Revoke(Revoke),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// agent (sends readings), viewer (sees them) or admin (everything)
    #[arg(long)]
    role: String,
    /// A name for people [default: the role]
    #[arg(long)]
    name: Option<String>,
    /// Only devices whose id matches, such as 'pump-*'
    #[arg(long, value_name = "GLOB")]
    devices: Option<String>,
    /// Only series that match, such as '*/temperature{@site="hall 1"}'
    #[arg(long, value_name = "SELECTOR")]
    select: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(super) struct Revoke {
    /// The number that `token list` shows
    id: u32,
    #[command(flatten)]
    place: Place,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(place) => list(&place),
            Self::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Create {
    /// Also before the hub's first start: the directory and the catalog are made then.
    fn run(self) -> Result<(), Failure> {
        let spec = spec(&self.role, self.name.as_deref(), self.devices.as_deref(), self.select.as_deref());
        let spec = spec.map_err(|refused| {
            let hint = refused.hint.as_ref().map_or_else(String::new, |hint| format!(" (try {hint})"));
            // Its message begins with the name of the option.
            Failure::new(super::Exit::Configuration, format!("--{refused}{hint}"))
        })?;
        let dir = self.place.data_dir()?;
        owner::make(&dir)?;
        let catalog = open(&dir)?;
        let (secret, _) = auth::create_token(&catalog, spec, Clock::system().now()).map_err(|error| Failure::of(&error))?;
        print(secret.reveal())
    }
}

fn list(place: &Place) -> Result<(), Failure> {
    let tokens = existing(&place.data_dir()?)?.tokens().map_err(|error| Failure::of(&error))?;
    print(format_args!("{:>6}  {:<6}  {:<20}  {:<20}  REACHES", "ID", "ROLE", "CREATED", "NAME"))?;
    for token in tokens {
        let spec = token.spec;
        let created = Timestamp::from_nanosecond(token.created.into()).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"));
        let reaches: Vec<String> =
            spec.devices.map(|glob| format!("--devices {glob}")).into_iter().chain(spec.select.map(|s| format!("--select {s}"))).collect();
        let reaches = if reaches.is_empty() { "everything".to_owned() } else { reaches.join(" ") };
        print(format_args!("{:>6}  {:<6}  {:<20}  {:<20}  {reaches}", token.id.0, spec.role.as_str(), created, spec.name))?;
    }
    Ok(())
}

impl Revoke {
    fn run(self) -> Result<(), Failure> {
        let catalog = existing(&self.place.data_dir()?)?;
        let revoked = catalog.revoke_token(TokenId(self.id), Clock::system().now()).map_err(|error| Failure::of(&error))?;
        if revoked {
            Ok(())
        } else {
            Err(Failure::new(super::Exit::Failed, format!("there is no token {}, or it was revoked before", self.id)))
        }
    }
}

/// The catalog of a directory that has one: a mistyped directory is not to become a new one.
fn existing(dir: &Path) -> Result<Catalog, Failure> {
    if !dir.join(FILE_NAME).is_file() {
        return Err(Failure::new(
            super::Exit::Failed,
            format!("{}: not a data directory of telltale (no {FILE_NAME} in it)", dir.display()),
        ));
    }
    open(dir)
}

fn open(dir: &Path) -> Result<Catalog, Failure> {
    Catalog::open(dir).map_err(|error| offline::not_opened(&error.into()))
}
