//! Charts of a page: the same drawings that lie beside it as SVG.

use super::markup::Html;
use crate::report::charts::figure::Figure;
use crate::report::plot;

/// What charts show, by the start of their names; each with the sentence below its number.
const SAID: [(&str, &str); 13] = [
    ("ratio", "Rate of the VMs over bare metal, simulated and published"),
    ("latency", "Latency of each VM or group"),
    ("percentiles", "Distribution of latency: percentiles of each VM against its bound"),
    ("stages", "Where the time of a query goes: mean time in each stage"),
    ("gpu", "Where the time of each GPU goes, by owner"),
    ("throughput", "Samples per second"),
    ("capacity", "Latency of each system at rising rates, up to its capacity"),
    ("curve", "Latency at rising rates"),
    ("gap", "Published ratios as products"),
    ("vms", "VMs that fit, with each way of sharing"),
    ("p99", "Simulated p99 against measured p99, a symbol for each Server run"),
    ("plan", "Headroom of the worst VM against what a layout costs"),
    ("timeline", "What each GPU does, and for whom"),
];

/// A chart that was drawn.
pub(super) struct Drawn {
    pub(super) name: String,
    svg: String,
}

/// Draws charts; none where the program is built without them.
pub(super) fn draw(figures: &[(String, Figure)]) -> anyhow::Result<Vec<Drawn>> {
    // Whoever draws files makes the font known; a page may come first.
    plot::draw_each(std::iter::empty::<(&str, &Figure)>(), |_| Ok(()))?;
    let drawn = figures
        .iter()
        .map(|(name, figure)| Ok(Drawn { name: name.clone(), svg: plot::svg(figure)? }));
    let drawn: anyhow::Result<Vec<Drawn>> = drawn.collect();
    Ok(drawn?.into_iter().filter(|drawn| !drawn.svg.is_empty()).collect())
}

impl Drawn {
    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.svg.len()
    }

    /// What it shows.
    pub(super) fn said(&self) -> &str {
        let known = SAID.iter().find(|(start, _)| self.name.starts_with(start));
        known.map_or(&self.name, |(_, said)| said)
    }

    /// Writes it, with its number among those of the page.
    pub(super) fn write(&self, html: &mut Html, number: usize) {
        html.element("figure", &[], |html| {
            html.said("figcaption", &format!("Figure {number}. {}.", self.said()));
            // What is wider than the window is scrolled, by keys too.
            let label = format!("Figure {number}");
            let scrolled =
                [("class", "wide"), ("tabindex", "0"), ("role", "region"), ("aria-label", &*label)];
            html.element("div", &scrolled, |html| html.ours(&self.svg));
        });
    }
}
