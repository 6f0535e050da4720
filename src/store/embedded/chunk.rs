use crate::block::Block;
use crate::model::{SeriesId, TimeNs};
use std::sync::Arc;
pub(super) const MAX_POINTS: usize = 4096;
pub(super) const MANY_MAX_SERIES: usize = 1000;
pub(super) const MANY_MAX_POINTS: usize = 65536;
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub(super) enum Damaged {
    #[error("x")]
    Short,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Own,
    Shared,
}
pub(super) fn encode(_b: &Block, _t: Times) -> Vec<u8> {
    todo!()
}
pub(super) fn decode(_b: &[u8], _t: Option<&[TimeNs]>) -> Result<Block, Damaged> {
    todo!()
}
pub(super) fn encode_times(_b: &[TimeNs]) -> Vec<u8> {
    todo!()
}
pub(super) fn decode_times(_b: &[u8]) -> Result<Vec<TimeNs>, Damaged> {
    todo!()
}
pub(super) fn encode_many(_b: &[(SeriesId, Arc<Block>)]) -> Vec<u8> {
    todo!()
}
pub(super) fn decode_many(_b: &[u8]) -> Result<Vec<(SeriesId, Block)>, Damaged> {
    todo!()
}
