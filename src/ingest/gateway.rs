//! What an agent's hello says about its gateway: attributes such as `site`, for the device that bears the agent's id.
//!
//! Invariant: what is there already stays, so that an edit by a person is not undone by the next hello.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compact::Opened;
use crate::auth::access::Access;
use crate::catalog::devices::{Description, DescriptionEdit};
use crate::hub::{Hub, describe};
use crate::limits::LABELS;

/// Writes to the catalog beside the connection, which does not wait for it.
pub(super) fn describe(hub: &Arc<Hub>, access: &Access, opened: &Opened) {
    let agent = &opened.agent;
    let scope = access.scope();
    let reached = scope.devices.as_ref().is_none_or(|glob| glob.matches(agent))
        && scope.select.as_ref().is_none_or(|select| select.may_match_device(agent, &*hub.devices));
    let news = news(&opened.attributes, hub.devices.description(agent).as_deref());
    if news.is_empty() {
        return;
    }
    if !reached {
        tracing::warn!(%agent, token = access.name(), "attributes of a hello are left out: the token does not reach the device of this name");
        return;
    }
    let (hub, agent) = (Arc::clone(hub), Arc::clone(agent));
    let edit = DescriptionEdit { attributes: news, ..DescriptionEdit::default() };
    drop(tokio::spawn(async move {
        if let Err(error) = describe::describe(&hub, agent.to_string(), edit).await {
            tracing::warn!(%agent, %error, "attributes of a hello are not kept; the next hello brings them again");
        }
    }));
}

/// The attributes that the device does not have, as many as it may have more. An empty value means that there is none.
fn news(told: &[(Box<str>, Box<str>)], known: Option<&Description>) -> BTreeMap<String, String> {
    let room = LABELS.saturating_sub(known.map_or(0, |known| known.attributes.len()));
    told.iter()
        .filter(|(name, value)| !value.is_empty() && known.is_none_or(|known| !known.attributes.contains_key(&**name)))
        .take(room)
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_adds_what_is_not_there_and_changes_nothing() {
        let told = [("site", "north"), ("rack", "b2"), ("floor", "")].map(|(name, value)| (name.into(), value.into()));
        let texts =
            |attributes: &[(&str, &str)]| attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(news(&told, None), texts(&[("site", "north"), ("rack", "b2")]));
        let known = Description { attributes: texts(&[("site", "hall 1")]), ..Description::default() };
        assert_eq!(news(&told, Some(&known)), texts(&[("rack", "b2")]));
    }

    /// An agent that finds new names for each hello would have the catalog grow without end.
    #[test]
    fn hellos_add_no_more_than_a_device_may_have() {
        let name = |n: usize| (format!("a{n:03}"), "x".to_owned());
        let told: Vec<(Box<str>, Box<str>)> = (0..LABELS).map(|n| (format!("b{n:03}").into(), "y".into())).collect();
        for (has, added) in [(0, LABELS), (LABELS - 2, 2), (LABELS, 0)] {
            let known = Description { attributes: (0..has).map(name).collect(), ..Description::default() };
            assert_eq!(news(&told, Some(&known)).len(), added, "{has}");
        }
    }
}
