//! Pushes that no client sends: whatever is not refused must be something that can be packed and read
//! again.
//!
//! `cargo +nightly fuzz run exposition`. The ordinary tests run the same check on generated input.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = String::from_utf8_lossy(data);
    let group = logtally_exposition::group(&path).ok();
    let group = group.unwrap_or_else(|| logtally_exposition::group("job/j").expect("a group"));
    if let Ok(pushed) = logtally_exposition::convert(data, &group, 0, 0) {
        let families: Vec<_> = pushed.families.iter().map(|family| family.id()).collect();
        for (key, amount) in pushed.increments.iter() {
            assert!(amount.count > 0 && families.iter().any(|id| key.starts_with(id.as_bytes())));
        }
    }
});
