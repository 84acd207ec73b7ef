//! What each type counts, and why a push is refused.

use logtally_core::decimal::Decimal;
use logtally_core::limits::{BUCKETS_MAX, LABELS_MAX};
use logtally_core::series::Increments;

use super::*;
use crate::number::NumberError;
use crate::text::SyntaxError;

fn group() -> Group {
    crate::group("job/j/zone@base64/=").expect("a group")
}

/// The rows of a push as a person reads them: `kind name{label="value"} count value`.
fn rows(body: &str) -> Vec<String> {
    let pushed = convert(body.as_bytes(), &group(), 60, 7).unwrap_or_else(|e| panic!("{e}"));
    let row = |(key, amount): (&[u8], Amount)| {
        let family = pushed.families.iter().find(|f| key.starts_with(f.id().as_bytes()));
        let family = family.expect("the family of each row is there");
        assert_eq!(
            (family.ttl_s, &family.group[..]),
            (60, &["job", "zone"].map(str::to_owned)[..])
        );
        let values = std::str::from_utf8(key).expect("UTF-8").split('\0').skip(1);
        let labels: Vec<String> =
            family.labels.iter().zip(values).map(|(name, v)| format!("{name}={v}")).collect();
        let value = match amount.value {
            Value::Sum(value) => value.to_string(),
            Value::Last(latest) => {
                assert_eq!(latest, Latest::arrived(7, latest.value));
                latest.value.to_string()
            }
            value => panic!("{value:?}"),
        };
        format!("{:?} {} {} {} {value}", family.kind, family.name, labels.join(","), amount.count)
    };
    pushed.increments.iter().map(row).collect()
}

#[test]
fn counters_add_and_gauges_stay() {
    let body = "# HELP c Some \"help\"\n# TYPE c counter\nc{b=\"1\",a=\"2\"} 1.5\nc 0\n\
                # TYPE g gauge\ng{job=\"own\",zone=\"own\",empty=\"\"} -2e3\nu 1\nu_sum 2\n";
    let expected = [
        "SumCounter c a=2,b=1,job=j,zone= 1 1.5",
        "SumCounter c job=j,zone= 1 0",
        "Last g job=j,zone= 1 -2000",
        "Last u job=j,zone= 1 1",
        "Last u_sum job=j,zone= 1 2",
    ];
    assert_eq!(rows(body), expected);
    let pushed = convert(body.as_bytes(), &group(), 60, 7).expect("good");
    assert_eq!(pushed.families.len(), 5);
    assert_eq!(pushed.families[0].help, "Some \"help\"");
    assert_eq!(convert(b"", &group(), 0, 0), Ok(Pushed::empty()));
}

impl Pushed {
    fn empty() -> Self {
        Self { families: vec![], increments: Increments::pack::<Amount>([]) }
    }
}

#[test]
fn histograms_count_the_observations_of_each_bucket() {
    let body = "# TYPE h histogram\n\
                h_bucket{x=\"1\",le=\"0.50\"} 0\nh_bucket{le=\"1e+00\",x=\"1\"} 2.0\n\
                h_bucket{x=\"1\",le=\"10\"} 2\nh_bucket{x=\"1\",le=\"+Inf\"} 5\n\
                h_sum{x=\"1\"} 70.25\nh_count{x=\"1\"} 5\n\
                h_bucket{x=\"none\",le=\"+Inf\"} 0\nh_sum{x=\"none\"} 0\nh_count{x=\"none\"} 0\n";
    let expected =
        ["Histogram h job=j,x=1,zone=,le=1 2 70.25", "Histogram h job=j,x=1,zone=,le=+Inf 3 0"];
    assert_eq!(rows(body), expected);
    let pushed = convert(body.as_bytes(), &group(), 60, 7).expect("good");
    let [family] = &pushed.families[..] else { panic!("{:?}", pushed.families) };
    assert_eq!(family.buckets, ["0.5", "1", "10"]);
    let plain = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum -3\nh_count 1\n";
    assert_eq!(rows(plain), ["Histogram h job=j,zone=,le=+Inf 1 -3"]);
}

#[test]
fn summaries_add_and_their_quantiles_stay() {
    let body = "# TYPE s summary\ns{quantile=\"0.5\"} 2\ns{quantile=\"0.9\"} NaN\n\
                s_sum 12.5\ns_count 3\n";
    let expected = [
        "Last s job=j,quantile=0.5,zone= 1 2",
        "SumCounter s_sum job=j,zone= 1 12.5",
        "SumCounter s_count job=j,zone= 1 3",
    ];
    assert_eq!(rows(body), expected);
}

/// Checks that the last line of a body is why it is refused, or the line with this number.
fn refused(body: &str, line: usize, problem: LineProblem) {
    let found = convert(format!("{body}\n").as_bytes(), &group(), 0, 0);
    assert_eq!(found, Err(problem.at(line)), "{body}");
}

fn own(text: &str) -> String {
    text.to_owned()
}

fn value(name: &str, error: fn(String) -> NumberError, text: &str) -> LineProblem {
    LineProblem::Value { name: own(name), error: error(own(text)) }
}

#[test]
fn samples_that_are_refused() {
    refused("a 1\nb", 2, SyntaxError::NoValue(own("b")).into());
    refused("a x", 1, value("a", NumberError::NotANumber, "x"));
    refused("a NaN", 1, value("a", NumberError::NotFinite, "NaN"));
    refused("a +Inf", 1, value("a", NumberError::NotFinite, "+Inf"));
    refused("a 1e300", 1, value("a", NumberError::OutOfRange, "1e300"));
    refused("# TYPE a counter\na -1", 2, LineProblem::Negative(own("a")));
    refused("a 1\n\na 1", 3, LineProblem::SeriesTwice(own("a")));
    refused("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1", 2, LineProblem::SeriesTwice(own("a")));
    refused("a{job=\"x\"} 1\na{job=\"y\"} 1", 2, LineProblem::SeriesTwice(own("a")));
    refused("a{x=\"\"} 1\na 1", 2, LineProblem::SeriesTwice(own("a")));
    let many = (0..LABELS_MAX - 1).map(|n| format!("l{n}=\"x\",")).collect::<Vec<_>>().concat();
    refused(&format!("a{{{many}}} 1"), 1, LineProblem::TooManyLabels(own("a")));
}

#[test]
fn metrics_that_are_refused() {
    for name in ["logtally_x", "push_time_seconds", "push_failure_time_seconds"] {
        refused(&format!("{name} 1"), 1, LineProblem::ReservedName(own(name)));
        refused(&format!("# TYPE {name} gauge"), 1, LineProblem::ReservedName(own(name)));
    }
    refused("# HELP a x\n# HELP a x", 2, LineProblem::HelpTwice(own("a")));
    refused("# TYPE a gauge\n# TYPE a counter", 2, LineProblem::TypeTwice(own("a")));
    refused("a 1\n# TYPE a gauge", 2, LineProblem::TypeLate(own("a")));
    let twice = |name: &str| LineProblem::NameTwice { name: own(name) };
    refused("# TYPE a summary\na_sum 1\n# TYPE a_count gauge\na_count 2", 1, twice("a_count"));
    refused("a_bucket 1\n# TYPE a histogram\na_sum 1", 2, twice("a_bucket"));
}

#[test]
fn summaries_that_are_refused() {
    refused("# TYPE s summary\ns 1", 2, LineProblem::NoQuantile(own("s")));
    refused("# TYPE s summary\ns NaN", 2, LineProblem::NoQuantile(own("s")));
    refused("# TYPE s summary\ns_sum -1", 2, LineProblem::Negative(own("s_sum")));
    refused("# TYPE s summary\ns_count 1.5", 2, value("s_count", NumberError::NotACount, "1.5"));
    let infinite = value("s", NumberError::NotFinite, "+Inf");
    refused("# TYPE s summary\ns{quantile=\"0.5\"} +Inf", 2, infinite);
}

/// Checks a histogram with these lines, of which the first is line 2.
fn refused_histogram(lines: &[&str], line: usize, problem: LineProblem) {
    refused(&format!("# TYPE h histogram\n{}", lines.join("\n")), line, problem);
}

#[test]
fn histograms_that_are_refused() {
    let (one, two) = ("h_bucket{le=\"1\"} 1", "h_bucket{le=\"2\"} 2");
    let (infinite, sum, count) = ("h_bucket{le=\"+Inf\"} 2", "h_sum 2", "h_count 2");
    let missing = |missing| LineProblem::Incomplete { name: own("h"), missing };
    refused_histogram(&[one, sum, count], 2, missing("_bucket{le=\"+Inf\"}"));
    refused_histogram(&[one, infinite, sum], 2, missing("_count"));
    refused_histogram(&[one, infinite, count], 2, missing("_sum"));
    refused_histogram(&[two, one], 3, LineProblem::BoundOrder(own("h")));
    refused_histogram(&[one, "h_bucket{le=\"1.0\"} 1"], 3, LineProblem::BoundOrder(own("h")));
    refused_histogram(&[infinite, two], 3, LineProblem::BoundOrder(own("h")));
    refused_histogram(&[one, "h_bucket{le=\"2\"} 0"], 3, LineProblem::NotCumulative(own("h")));
    refused_histogram(&["h 1"], 2, LineProblem::NotOfHistogram(own("h")));
    refused_histogram(&["h_bucket 1"], 2, LineProblem::NoBound(own("h")));
    refused_histogram(&["h_sum{le=\"1\"} 1"], 2, LineProblem::StrayBound(own("h_sum")));
    refused_histogram(&[sum, sum], 3, LineProblem::SeriesTwice(own("h_sum")));
    refused_histogram(&[count, count], 3, LineProblem::SeriesTwice(own("h_count")));
    let not_a_count = value("h_bucket", NumberError::NotACount, "-1");
    refused_histogram(&["h_bucket{le=\"1\"} -1"], 2, not_a_count);
    let error = NumberError::NotANumber(own("x"));
    let bound = LineProblem::Bound { name: own("h"), error };
    refused_histogram(&["h_bucket{le=\"x\"} 1"], 2, bound);
    let differs = LineProblem::CountDiffers { name: own("h"), infinite: 2, count: 3 };
    refused_histogram(&[infinite, sum, "h_count 3"], 4, differs);
    let none = ["h_bucket{le=\"+Inf\"} 0", "h_count 0", "h_sum 0.5"];
    refused_histogram(&none, 4, LineProblem::SumOfNothing(own("h")));
    let many: Vec<String> =
        (0..=BUCKETS_MAX).map(|n| format!("h_bucket{{le=\"{n}\"}} 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    refused_histogram(&many, 2 + BUCKETS_MAX, LineProblem::TooManyBuckets(own("h")));
    refused_histogram(&[&many[1..], &[infinite, "h_count 3"]].concat(), 2, missing("_sum"));
}

#[test]
fn the_labels_of_the_group_make_a_short_body_large() {
    let value = "x".repeat(1000);
    let group = crate::group(&format!("job/j/long/{value}")).expect("a group");
    let body = |lines: usize| (0..lines).map(|n| format!("a{n} 1\n")).collect::<Vec<_>>().concat();
    let convert = |lines| convert(body(lines).as_bytes(), &group, 0, 0);
    assert!(convert(1_000).is_ok());
    assert_eq!(convert(5_000), Err(ExpositionError::TooLarge));
}

#[test]
fn errors_name_the_line_and_the_way_out() {
    let text = |body: &str| convert(body.as_bytes(), &group(), 0, 0).expect_err(body).to_string();
    assert_eq!(
        text("a 1\nb NaN\n"),
        "line 2: the value of `b`: NaN cannot be added up, so no later push could undo it; leave the \
         sample out"
    );
    assert_eq!(
        text("a 1 5\n"),
        "line 1: `a` has a timestamp; leave it away: Prometheus takes the time of its scrape, and \
         would drop a pushed series as stale five minutes after its own time"
    );
    assert_eq!(
        text("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"),
        "line 4: the bucket +Inf of `h` has 1, and its _count says 2"
    );
}

#[test]
fn a_stamp_joins_what_is_pushed() {
    let pushed = convert(b"a 1\n", &group(), 60, 7).expect("good");
    let now = Decimal::from_units(5);
    let stamp = crate::stamp(&group(), 60, 7, crate::PushOutcome::Success { now });
    let both = pushed.and(stamp);
    assert_eq!((both.families.len(), both.increments.iter().count()), (3, 3));
    assert_eq!(both.check_size(), Ok(()));
}
