//! What a bucket cannot take, found before anything is copied.

use super::{MigrateError, Names, Phase, Show, Source, Step};
use crate::block::{Block, Values};
use crate::clock::NS_PER_SEC;
use crate::model::Value;
use crate::model::{TimeNs, TimeRange};
use crate::store::{Coarse, Piece};

/// Integers beyond it are not all floats.
const EXACT: u64 = 1 << 53;
/// Copying takes its time, and a bucket that drops readings meanwhile has others than those copied.
const MARGIN_NS: i64 = 3600 * NS_PER_SEC;

/// Refuses what would not arrive. Gives the series with rollups of readings that are gone: those stay behind.
pub(super) fn survey(source: &Source<'_>, keeps_from: Option<TimeNs>, show: &mut Show<'_>) -> Result<Names, MigrateError> {
    let (mut inexact, mut rollups) = (Names::default(), Names::default());
    let mut oldest: Option<(TimeNs, String)> = None;
    let mut readings = 0;
    for (done, series) in source.series.iter().enumerate() {
        let (mut first, mut is_exact, mut is_gone) = (None, true, false);
        source.store.scan_coarse(&source.pin, series.id, TimeRange::ALL, Coarse::WhereGone, &mut |piece| {
            match piece {
                Piece::Points(block) => {
                    first = first.or(block.first_time());
                    is_exact &= exact(block);
                    readings += block.len() as u64;
                }
                Piece::Summary { .. } => is_gone = true,
                // They come in place of buckets alone.
                Piece::Totals(_) => {}
            }
            true
        })?;
        if let Some(first) = first.filter(|first| oldest.as_ref().is_none_or(|(oldest, _)| first < oldest)) {
            oldest = Some((first, series.key.to_string()));
        }
        if !is_exact {
            inexact.add(series);
        }
        if is_gone {
            rollups.add(series);
        }
        show(Step { phase: Phase::Reading, series: done + 1, of: source.series.len(), readings });
    }
    if inexact.count() > 0 {
        return Err(MigrateError::Inexact { series: inexact });
    }
    match (keeps_from, oldest) {
        (Some(from), Some((time, series))) if time < from.saturating_add(MARGIN_NS) => Err(MigrateError::TooOld { time, series, from }),
        _ => Ok(rollups),
    }
}

fn exact(block: &Block) -> bool {
    match block.values() {
        Values::Int(ints) => ints.iter().all(|int| int.unsigned_abs() <= EXACT),
        Values::Mixed(values) => values.iter().all(|value| !matches!(value, Value::Int(int) if int.unsigned_abs() > EXACT)),
        _ => true,
    }
}
