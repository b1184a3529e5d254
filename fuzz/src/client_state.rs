//! The core's model, driven by a fuzzer instead of proptest.

use arbitrary::Unstructured;

use crate::model::{calls::Call, pair::Pair};

/// Makes a client with the limits that `data` starts with, and the calls that follow.
pub fn client_state(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(limits) = data.arbitrary() else {
        return;
    };
    let mut pair = Pair::new(limits);
    // It decodes as zeros when nothing is left.
    while !data.is_empty() {
        let Ok(call) = data.arbitrary::<Call>() else {
            break;
        };
        pair.call(&call);
        pair.check();
    }
    pair.drain();
}
