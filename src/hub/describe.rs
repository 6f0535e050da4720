//! Edits of what is known of a device, by a person or by an agent's hello. Selectors may ask for attributes, so whoever has
//! remembered an answer is told: the rules of retention and live.

use std::sync::Arc;

use super::Hub;
use crate::catalog::devices::{DescriptionEdit, EditError};
use crate::live::engine::Input;

#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("the edit of a device was cut off")]
    CutOff(#[from] tokio::task::JoinError),
}

/// Returns when the edit holds and all have been told. It is a task of its own: whoever goes away while it runs skips no step of it.
pub async fn describe(hub: &Arc<Hub>, device: String, edit: DescriptionEdit) -> Result<(), DescribeError> {
    tokio::spawn(run(Arc::clone(hub), device, edit)).await?
}

async fn run(hub: Arc<Hub>, device: String, edit: DescriptionEdit) -> Result<(), DescribeError> {
    let (writing, name, of_attributes) = (Arc::clone(&hub), device.clone(), !edit.attributes.is_empty());
    tokio::task::spawn_blocking(move || {
        writing.devices.edit(&name, &edit, writing.clock.now())?;
        // A name or a note is nothing to the rules, and days are gone through again for what may be.
        if of_attributes {
            writing.retention.attributes_changed(&name);
        }
        Ok::<_, EditError>(())
    })
    .await??;
    // The edit holds whether or not live still runs. A name or a note is nothing to it; after an edit of attributes cursors are
    // worth less.
    if of_attributes && let Err(stopped) = hub.live.tell(Input::Attributes { device: device.into() }).await {
        tracing::warn!(%stopped, "viewers do not see an edited attribute");
    }
    Ok(())
}
