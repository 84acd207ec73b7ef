//! The usual metrics of a process (`process_…`), read from `/proc` when somebody asks.
//!
//! Must never fail a scrape: what cannot be read is left out.

use std::collections::HashMap;
use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Collects the metrics below at each scrape; between scrapes it costs nothing.
pub(crate) struct ProcessMetrics {
    descs: Vec<Desc>,
}

struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: fn(&Stat) -> Option<f64>,
}

/// Names and help texts as in the official Prometheus client libraries.
const FAMILIES: [Family; 4] = [
    Family {
        name: "process_cpu_seconds_total",
        help: "Total user and system CPU time spent in seconds.",
        kind: MetricType::COUNTER,
        value: |stat| Some(seconds(stat.cpu_ticks)),
    },
    Family {
        name: "process_open_fds",
        help: "Number of open file descriptors.",
        kind: MetricType::GAUGE,
        value: |_| open_fds(),
    },
    Family {
        name: "process_resident_memory_bytes",
        help: "Resident memory size in bytes.",
        kind: MetricType::GAUGE,
        value: |stat| Some(stat.resident_pages as f64 * rustix::param::page_size() as f64),
    },
    Family {
        name: "process_start_time_seconds",
        help: "Start time of the process since unix epoch in seconds.",
        kind: MetricType::GAUGE,
        value: |stat| Some(boot_time()? + seconds(stat.start_ticks)),
    },
];

impl ProcessMetrics {
    pub(crate) fn new() -> Self {
        let desc = |family: &Family| {
            Desc::new(family.name.to_owned(), family.help.to_owned(), Vec::new(), HashMap::new())
                .expect("the name of a process metric is valid")
        };
        Self { descs: FAMILIES.iter().map(desc).collect() }
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        let Some(stat) = stat.as_deref().and_then(parse_stat) else { return Vec::new() };
        let collected = |family: &Family| Some(family.with_value((family.value)(&stat)?));
        FAMILIES.iter().filter_map(collected).collect()
    }
}

impl Family {
    fn with_value(&self, value: f64) -> MetricFamily {
        let mut metric = Metric::default();
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(vec![metric]);
        family
    }
}

/// What we need of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    /// User and system time, in clock ticks.
    cpu_ticks: u64,
    /// Start of the process after the boot, in clock ticks.
    start_ticks: u64,
    resident_pages: u64,
}

/// Field numbers as in `proc_pid_stat(5)`.
fn parse_stat(text: &str) -> Option<Stat> {
    // The second field, the name of the program in parentheses, may contain anything, so we count
    // from its end: what follows the last parenthesis is field 3.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        start_ticks: field(22)?,
        resident_pages: field(24)?,
    })
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The boot of the machine in seconds since the Unix epoch.
fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn open_fds() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that we just listed.
    Some(count.saturating_sub(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_a_program_with_an_awkward_name() {
        let text = "7 (a) R 1) S 1 7 7 0 -1 4194560 900 0 0 0 31 11 0 0 20 0 9 0 5000 1000000 42 \
                    18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n";
        let expect = Stat { cpu_ticks: 42, start_ticks: 5000, resident_pages: 42 };
        assert_eq!(parse_stat(text), Some(expect));
    }

    #[test]
    fn a_cut_off_stat_is_none() {
        assert_eq!(parse_stat("7 (a) S 1 7 7"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn every_family_has_a_plausible_value() {
        use std::time::{Duration, SystemTime, UNIX_EPOCH};

        let collected = ProcessMetrics::new().collect();
        let value = |name: &str| {
            let family = collected.iter().find(|family| family.name() == name);
            let metric = &family.expect("collected").get_metric()[0];
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        };
        assert!(value("process_cpu_seconds_total") >= 0.0);
        // stdin, stdout and stderr are somewhere.
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let age = now - value("process_start_time_seconds");
        // The boot time has whole seconds; a test does not run for a day.
        assert!((-2.0..Duration::from_hours(24).as_secs_f64()).contains(&age), "{age}");
    }
}
