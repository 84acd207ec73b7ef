//! What a client accepts, and what it is given.
//!
//! Must never end without an answer: a client that asks for something else gets the text format,
//! as from any other exporter.

use axum::http::header::{ACCEPT, ACCEPT_ENCODING};
use axum::http::{HeaderMap, HeaderName};

use crate::page::{Form, PageFormat};

/// The form of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Offered {
    /// The form of the page.
    pub(super) form: Form,
    /// The value of `Content-Type`.
    pub(super) content_type: String,
}

/// The best form that a client accepts.
pub(super) fn negotiate(headers: &HeaderMap) -> Offered {
    let (format, content_type) = offers(headers, &ACCEPT)
        .iter()
        .find_map(Offer::content_type)
        .unwrap_or_else(|| (PageFormat::Text, text("0.0.4")));
    let gzip = wants_gzip(&offers(headers, &ACCEPT_ENCODING));
    Offered { form: Form { format, gzip }, content_type }
}

/// One item of a header like `Accept`.
#[derive(Debug)]
struct Offer {
    name: String,
    params: Vec<(String, String)>,
    quality: f32,
}

/// The items of all headers of a name, best first; equally good ones in their order, but wildcards
/// after what is named.
fn offers(headers: &HeaderMap, name: &HeaderName) -> Vec<Offer> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut offers: Vec<_> = values.flat_map(|value| value.split(',')).map(Offer::parse).collect();
    offers.sort_by(|a, b| b.rank().partial_cmp(&a.rank()).unwrap_or(std::cmp::Ordering::Equal));
    offers
}

impl Offer {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let name = parts.next().unwrap_or_default();
        let param = |part: String| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
        };
        let params: Vec<_> = parts.filter_map(param).collect();
        let mut offer = Self { name, params, quality: 1.0 };
        if let Some(quality) = offer.param("q") {
            // One that cannot be read is not wanted.
            offer.quality = quality.parse().unwrap_or(0.0);
        }
        offer
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn rank(&self) -> (f32, bool) {
        (self.quality, !self.name.contains('*'))
    }

    fn is_wanted(&self) -> bool {
        self.quality > 0.0
    }

    /// The format and the content type for a media type that can be served.
    fn content_type(&self) -> Option<(PageFormat, String)> {
        let version = self.param("version");
        match (self.name.as_str(), version) {
            _ if !self.is_wanted() => None,
            ("application/openmetrics-text", None | Some("1.0.0")) => {
                let escaping = self.escaping().map(escaping_param).unwrap_or_default();
                let base = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                Some((PageFormat::OpenMetrics, format!("{base}{escaping}")))
            }
            ("text/plain", Some("1.0.0")) => {
                let escaping = escaping_param(self.escaping().unwrap_or("underscores"));
                Some((PageFormat::Text, text("1.0.0") + &escaping))
            }
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => {
                Some((PageFormat::Text, text("0.0.4")))
            }
            _ => None,
        }
    }

    /// How names with other characters are to be escaped, if that is said in a valid way. All names
    /// here consist of characters that need no escaping, so every way gives the same page.
    fn escaping(&self) -> Option<&str> {
        let known = ["allow-utf-8", "underscores", "dots", "values"];
        self.param("escaping").filter(|escaping| known.contains(escaping))
    }
}

fn text(version: &str) -> String {
    format!("text/plain; version={version}; charset=utf-8")
}

fn escaping_param(escaping: &str) -> String {
    format!("; escaping={escaping}")
}

fn wants_gzip(offers: &[Offer]) -> bool {
    let named = |name: &str| offers.iter().find(|offer| offer.name == name);
    let identity = named("identity").map_or(0.0, |offer| offer.quality);
    let gzip = named("gzip").or_else(|| named("*"));
    gzip.is_some_and(|gzip| gzip.is_wanted() && gzip.quality >= identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().expect("a header value"))].into_iter().collect()
    }

    fn check(accept: &str, expect: &str) {
        let form = negotiate(&headers(ACCEPT, accept));
        assert_eq!(form.content_type, expect, "{accept}");
        let is_openmetrics = expect.starts_with("application/openmetrics-text");
        assert_eq!(form.form.format == PageFormat::OpenMetrics, is_openmetrics, "{accept}");
    }

    #[test]
    fn what_prometheus_asks_for() {
        // 2.42
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPENMETRICS,
        );
        // 3.0
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
             */*;q=0.2",
            &format!("{OPENMETRICS}; escaping=allow-utf-8"),
        );
        // 3.0 with `scrape_protocols: [PrometheusProto, PrometheusText1.0.0]`
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,*/*;q=0.2",
            "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
        );
    }

    #[test]
    fn what_others_ask_for() {
        for accept in ["", "*/*", "text/*", "text/plain", "TEXT/PLAIN; Version=\"0.0.4\"", ";,;"] {
            check(accept, TEXT);
        }
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        check(browser, TEXT);
        check("application/json", TEXT);
        check("application/openmetrics-text", OPENMETRICS);
        check("application/openmetrics-text;version=0.0.1", TEXT);
        check("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", TEXT);
    }

    #[test]
    fn quality_decides() {
        check("text/plain;q=0.5,application/openmetrics-text;q=0.6", OPENMETRICS);
        check("text/plain;q=0.6,application/openmetrics-text;q=0.5", TEXT);
        check("text/plain,application/openmetrics-text", TEXT);
        check("*/*,application/openmetrics-text", OPENMETRICS);
        check("application/openmetrics-text;q=0,*/*;q=0.1", TEXT);
        check("application/openmetrics-text;q=much,*/*;q=0.1", TEXT);
        check("application/openmetrics-text;q=NaN,*/*;q=0.1", TEXT);
    }

    #[test]
    fn the_way_of_escaping_is_confirmed_if_it_is_known() {
        let text = "text/plain; version=1.0.0; charset=utf-8; escaping=";
        for escaping in ["allow-utf-8", "underscores", "dots", "values"] {
            check(
                &format!("text/plain;version=1.0.0;escaping={escaping}"),
                &format!("{text}{escaping}"),
            );
        }
        check("text/plain;version=1.0.0", &format!("{text}underscores"));
        check("text/plain;version=1.0.0;escaping=other", &format!("{text}underscores"));
    }

    #[test]
    fn headers_on_several_lines_are_one_list() {
        let mut headers = headers(ACCEPT, "text/plain;q=0.5");
        headers.append(ACCEPT, "application/openmetrics-text".parse().expect("a header value"));
        assert_eq!(negotiate(&headers).form.format, PageFormat::OpenMetrics);
    }

    #[test]
    fn compression() {
        let check = |accept: &str, expect: bool| {
            assert_eq!(negotiate(&headers(ACCEPT_ENCODING, accept)).form.gzip, expect, "{accept}");
        };
        assert!(!negotiate(&HeaderMap::new()).form.gzip);
        check("gzip", true);
        check("deflate, GZIP;q=1.0, *;q=0.5", true);
        check("*", true);
        check("br", false);
        check("gzip;q=0", false);
        check("gzip;q=0, *", false);
        check("identity, gzip;q=0.5", false);
        check("identity;q=0.5, gzip;q=0.5", true);
    }
}
