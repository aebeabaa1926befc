//! The cluster: a row for each card, hosts one below the other, what is on a card from its first place
//! to its last. Hosts that look alike are one.

use super::super::number::plain;
use super::figure::{Align, Figure, Fill, MARGIN, WIDTH};
use super::style::{self, Colour, size, width_of};
use crate::report::cluster::{Alike, alike, number_of};
use crate::study::{ClusterCard, ClusterResults};
use crate::units::counted;

/// The ends of a card, in pixels.
const CARD: (f64, f64) = (255.0, 965.0);
const ROW: f64 = 34.0;
const BAR: f64 = 26.0;
const HEAD: f64 = 30.0;
/// Most groups of hosts in a picture.
const HOSTS: usize = 8;

/// The picture of a placement.
pub(in crate::report) fn cluster_figure(results: &ClusterResults) -> Figure {
    let counts = &results.counts;
    let below = format!(
        "{} of {} placed on {}, {} refused; policy {}, cards by {}, {} mode",
        counts.placed,
        counted(counts.asked, "VM"),
        counted(counts.hosts, "host"),
        counts.refused,
        results.policy,
        results.assignment,
        results.vgpu_mode
    );
    let mut figure = Figure::new(&results.head.title, &below);
    figure.height += 4.0;
    let hosts = alike(&results.hosts, false);
    let mut kinds: Vec<&str> = Vec::new();
    let residents =
        results.hosts.iter().flat_map(|host| &host.cards).flat_map(|card| &card.residents);
    for resident in residents {
        if !kinds.contains(&resident.r#type.as_str()) {
            kinds.push(&resident.r#type);
        }
    }
    let mut y = legend(&mut figure, &kinds) + 12.0;
    for group in hosts.iter().take(HOSTS) {
        y = host(&mut figure, group, &kinds, y);
    }
    let rest: usize = hosts.iter().skip(HOSTS).map(|group| group.names.len()).sum();
    if rest > 0 {
        let text = format!("and {} that look otherwise", counted(rest, "host"));
        figure.text((MARGIN, y + 10.0), &text, Align::Right, style::QUIET);
        y += HEAD;
    }
    for row in &results.policies {
        figure.tell(format!(
            "{}: {} placed, {} refused, {} of free frame buffer",
            row.policy,
            row.placed,
            row.refused,
            plain(row.free_gib) + " GiB"
        ));
    }
    figure.height = y + 10.0;
    figure
}

/// The colours of the types; the answer is where it ends.
fn legend(figure: &mut Figure, kinds: &[&str]) -> f64 {
    let y = figure.height + 18.0;
    let mut x = MARGIN;
    for (kind, name) in kinds.iter().enumerate().take(COLOURS.len()) {
        let end = x + 40.0 + width(name);
        if end > WIDTH - MARGIN {
            break;
        }
        figure.bar((x, y - 9.0), (x + 24.0, y + 9.0), Fill::Pale, COLOURS[kind]);
        figure.text((x + 34.0, y), name, Align::Right, style::QUIET);
        x = end + 24.0;
    }
    if kinds.is_empty() { figure.height } else { y + 16.0 }
}

fn host(figure: &mut Figure, group: &Alike<'_>, kinds: &[&str], mut y: f64) -> f64 {
    let name = match &group.names[..] {
        [one] => one.to_string(),
        many => format!("{} and {} like it", many[0], counted(many.len() - 1, "host")),
    };
    let host = group.host;
    let used = format!(
        "{}, {} vCPUs on {}, {} of {} GiB of memory",
        counted(host.vms, "VM"),
        host.vcpus,
        host.logical_processors,
        host.memory_used_gib.round(),
        host.memory_gib.round()
    );
    let head = cut(&format!("{name}: {used}"), WIDTH - 2.0 * MARGIN);
    figure.text((MARGIN, y + 8.0), &head, Align::Right, style::INK);
    y += HEAD;
    for card in &host.cards {
        draw(figure, card, group.names.len() == 1, kinds, y);
        y += ROW;
    }
    y + 12.0
}

fn draw(figure: &mut Figure, card: &ClusterCard, names: bool, kinds: &[&str], y: f64) {
    let middle = y + BAR / 2.0;
    let name = format!("GPU {}", card.card);
    figure.text((MARGIN, middle), &name, Align::Right, style::QUIET);
    figure.text((MARGIN + 85.0, middle), card.mode, Align::Right, style::QUIET);
    figure.bar((CARD.0, y), (CARD.1, y + BAR), Fill::Empty, style::QUIET);
    let x = |at: f64| CARD.0 + (at / card.end).clamp(0.0, 1.0) * (CARD.1 - CARD.0);
    for resident in &card.residents {
        let (from, to) = (x(resident.span[0]), x(resident.span[1]));
        let kind = kinds.iter().position(|kind| *kind == resident.r#type).unwrap_or(0);
        let colour = COLOURS[kind % COLOURS.len()];
        figure.bar((from, y), (to, y + BAR), Fill::Pale, colour);
        let room = to - from - 8.0;
        let both = format!("{} {}", resident.vm, resident.r#type);
        let labels = match names {
            true => vec![both, resident.vm.clone(), number_of(&resident.vm).to_string()],
            false => vec![resident.r#type.clone()],
        };
        if let Some(label) = labels.iter().find(|label| width(label) <= room) {
            figure.text(((from + to) / 2.0, middle), label, Align::Middle, style::INK);
        }
    }
    let free = format!("{} of {} GiB free", plain(card.free_gib), plain(card.frame_buffer_gib));
    figure.text((CARD.1 + 14.0, middle), &free, Align::Right, style::QUIET);
}

const COLOURS: [Colour; 6] =
    [style::BLUE, style::ORANGE, style::GREEN, style::PURPLE, style::SKY, style::VERMILION];

fn width(text: &str) -> f64 {
    width_of(text, size::TEXT, false)
}

/// The text, or its beginning where it is too long.
fn cut(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_string();
    }
    let ends = text.char_indices().map(|(at, _)| format!("{}...", &text[..at]));
    ends.take_while(|text| width(text) <= room).last().unwrap_or_default()
}
