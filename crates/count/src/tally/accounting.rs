//! What became of the records of a span: counted, filtered or rejected, and by which rules.

use std::sync::{Arc, LazyLock};

use logtally_core::delta::SeriesLimit;
use logtally_core::rule::{self, Reject};
use logtally_core::series::{Amount, Family, Packer, SeriesKey};
use logtally_core::source::RecordCounts;
use logtally_rules::Rule;

/// Bytes of the usual increments of the accounting.
pub(super) const ACCOUNTS_BYTES: usize = 48;

/// What became of the records of a span.
#[derive(Default)]
pub(super) struct Accounting {
    counted: u64,
    filtered: u64,
    rejected: [u64; Reject::ALL.len()],
    /// By rule: whether it counted anything.
    used_rules: Vec<bool>,
}

/// A series of the accounting.
struct Account {
    family: Arc<Family>,
    key: SeriesKey,
}

/// All of them, made once.
struct Accounts {
    read: Account,
    counted: Account,
    filtered: Account,
    /// By reason.
    rejected: [Account; Reject::ALL.len()],
}

static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(|| {
    let account = |family: Family, values: &[&str]| {
        let key = SeriesKey::new(family.id(), values.iter().copied());
        Account { family: family.into(), key }
    };
    Accounts {
        read: account(rule::records_read(), &[]),
        counted: account(rule::records_counted(), &[]),
        filtered: account(rule::records_filtered(), &[]),
        rejected: Reject::ALL.map(|reason| account(rule::records_rejected(), &[reason.as_str()])),
    }
});

impl Accounting {
    /// So many records are counted.
    #[inline]
    pub(super) fn count(&mut self, records: u64) {
        self.counted += records;
    }

    /// So many records match no rule.
    #[inline]
    pub(super) fn filter(&mut self, records: u64) {
        self.filtered += records;
    }

    /// A record is rejected. Returns how many have been, for this reason.
    pub(super) fn reject(&mut self, reason: Reject) -> u64 {
        let records = &mut self.rejected[reason as usize];
        *records += 1;
        *records
    }

    /// For each of so many rules, whether it counted anything; to be set.
    #[inline]
    pub(super) fn used_rules(&mut self, rules: usize) -> &mut [bool] {
        self.used_rules.resize(rules, false);
        &mut self.used_rules
    }

    /// Records so far.
    pub(super) fn records(&self) -> RecordCounts {
        let rejected = self.rejected.iter().sum();
        RecordCounts { counted: self.counted, filtered: self.filtered, rejected }
    }

    /// Rejected records so far, by reason.
    pub(super) fn rejected(&self) -> impl Iterator<Item = (Reject, u64)> {
        Reject::ALL.into_iter().zip(self.rejected)
    }

    /// Packs the increments of the accounting.
    pub(super) fn pack(&self, packer: &mut Packer) {
        for (account, records) in self.accounts() {
            packer.push(account.key.as_bytes(), Amount::from(records));
        }
    }

    /// The families of the rules that counted anything, and those of the accounting; each once.
    pub(super) fn families(&self, rules: &[Rule]) -> Vec<Arc<Family>> {
        let mut families: Vec<Arc<Family>> = Vec::new();
        let mut add = |family: &Arc<Family>| {
            if !families.contains(family) {
                families.push(Arc::clone(family));
            }
        };
        for rule in self.used(rules) {
            add(&rule.family);
        }
        for (account, _) in self.accounts() {
            add(&account.family);
        }
        families
    }

    /// The limits of the rules that counted anything.
    pub(super) fn limits(&self, rules: &[Rule]) -> Vec<SeriesLimit> {
        self.used(rules).filter_map(|rule| rule.limit).collect()
    }

    /// Adds those of another tally.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.counted += other.counted;
        self.filtered += other.filtered;
        for (records, others) in self.rejected.iter_mut().zip(other.rejected) {
            *records += others;
        }
        let rules = self.used_rules.len().max(other.used_rules.len());
        for (used, others) in self.used_rules(rules).iter_mut().zip(&other.used_rules) {
            *used |= others;
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.counted = 0;
        self.filtered = 0;
        self.rejected = [0; Reject::ALL.len()];
        self.used_rules.clear();
    }

    fn used<'a>(&self, rules: &'a [Rule]) -> impl Iterator<Item = &'a Rule> {
        rules.iter().zip(&self.used_rules).filter(|(_, used)| **used).map(|(rule, _)| rule)
    }

    /// The series that are added to, and how much.
    fn accounts(&self) -> Vec<(&'static Account, u64)> {
        let Accounts { read, counted, filtered, rejected } = &*ACCOUNTS;
        let mut all =
            vec![(read, self.records().read()), (counted, self.counted), (filtered, self.filtered)];
        all.extend(rejected.iter().zip(self.rejected));
        all.retain(|(_, records)| *records > 0);
        all
    }
}
