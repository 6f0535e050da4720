//! Any bytes as a frame of an agent: no panic, and what was taken is within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telltale_wire::{AgentFrame, Batch, ColumnBuf, Limits, WireError};

fuzz_target!(|frame: &[u8]| {
    let limits = Limits { batch_readings: 5_000, ..Limits::default() };
    match AgentFrame::parse(frame, &limits) {
        Ok(AgentFrame::Define(define)) => assert_eq!(define.definitions().count(), define.len()),
        Ok(AgentFrame::Batch(batch)) => {
            assert!(batch.readings() <= limits.batch_readings);
            assert_eq!(Batch::peek_seq(frame), Some(batch.seq()));
            // Columns that cannot be decoded are refused one by one.
            let _: Result<(), WireError> = read(&batch);
        }
        Ok(AgentFrame::Hello(_) | AgentFrame::Goodbye(_)) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn read(batch: &Batch<'_>) -> Result<(), WireError> {
    let (mut times, mut buf) = (Vec::new(), ColumnBuf::default());
    for group in batch.groups() {
        group.times(&mut times)?;
        for column in group.columns() {
            let (mut rows, mut values) = (column.presence().rows(), 0);
            column.decode_into(&mut buf)?.for_each(|_| {
                values += 1;
                assert!(rows.next().is_some_and(|row| (row as usize) < times.len()));
            });
            assert_eq!(values, column.readings());
            assert_eq!(rows.next(), None);
        }
    }
    Ok(())
}
