//! Any bytes as a frame of a hub: no panic; what was taken encodes to a frame that says the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telltale_wire::HubFrame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = HubFrame::parse(bytes) {
        let mut again = Vec::new();
        frame.encode(&mut again);
        assert_eq!(HubFrame::parse(&again).as_ref(), Ok(&frame));
    }
});
