//! `telltale login`: a link from the running hub, which alone knows its address.

use clap::Args;

use super::{Exit, Failure, Place, client, print};

#[derive(Args, Debug)]
pub(super) struct Login {
    /// admin, or viewer for someone who should only look
    #[arg(long, default_value = "admin")]
    role: String,
    #[command(flatten)]
    place: Place,
}

impl Login {
    pub(super) fn run(self) -> Result<(), Failure> {
        let body = serde_json::json!({ "role": self.role });
        let answer = client::ask(&self.place.data_dir()?, "POST", "/api/v1/login/link", Some(&body))?;
        let link = answer["link"].as_str().ok_or_else(|| Failure::new(Exit::Failed, "the hub's answer holds no link"))?;
        print(link)
    }
}
