//! `telltale status`: what the running hub says of itself, as JSON.

use clap::Args;

use super::{Failure, Place, client};

#[derive(Args, Debug)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let answer = client::ask(&self.place.data_dir()?, "GET", "/api/v1/status", None)?;
        println!("{answer:#}");
        Ok(())
    }
}
