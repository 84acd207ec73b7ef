//! The scripts: everything that is written to Redis is written by one of them.
//!
//! Each is one atomic step that checks everything before its first write. The server may forget them
//! at any time (`SCRIPT FLUSH`, failover); `redis::Script` loads them again.

use std::sync::LazyLock;

use ::redis::Script;

/// Puts a script together. The flags decide what the server checks before it runs the script: by
/// default it refuses at once, with nothing written, when memory is full or the server is a replica.
macro_rules! script {
    ($name:ident, $about:literal, $flags:literal, $($file:literal),+) => {
        #[doc = $about]
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("#!lua", $flags, "\n", $(include_str!($file)),+))
        });
    };
}

script!(CREATE, "Creates metadata and heads.", "", "prelude.lua", "create.lua");
script!(COMMIT, "Applies a batch.", "", "prelude.lua", "journal_prelude.lua", "commit.lua");
script!(APPEND, "Appends an entry.", "", "prelude.lua", "journal_prelude.lua", "append.lua");
script!(OPEN, "Opens a generation of a source.", "", "prelude.lua", "open.lua");
script!(FORGET_SOURCE, "Removes a position.", "", "prelude.lua", "forget_source.lua");
script!(REPORT, "Remembers what was acknowledged.", "", "prelude.lua", "report.lua");

// Folding also runs when memory is full: merging and trimming is what gives memory back.
script!(
    FOLD_PIECE,
    "Writes a piece of a fold.",
    " flags=allow-oom",
    "prelude.lua",
    "fold_prelude.lua",
    "fold_piece.lua"
);
script!(
    FOLD_FINISH,
    "Moves the place folded to.",
    " flags=allow-oom",
    "prelude.lua",
    "fold_prelude.lua",
    "fold_finish.lua"
);
