//! The text of a placement: the cluster drawn, each VM with its host, card and place, those that were
//! refused with the reason, what the rest is worth, the policies side by side.

use super::grid::{Column, Columns};
use super::page;
use crate::report::cluster::{Alike, alike, number_of};
use crate::report::width::Width;
use crate::shown::shown;
use crate::study::{
    ClusterCard, ClusterMove, ClusterPolicy, ClusterResults, ClusterRoom, ClusterVm, NotPlaced,
};
use crate::units::counted;

/// Most groups of hosts that are drawn, most rows of VMs and of refusals, unless all are asked for.
const DRAWN: usize = 8;
const ROWS: usize = 40;
const REASONS: usize = 12;

/// Columns of a card's bar.
const BAR: usize = 56;

/// The whole text.
pub fn render_cluster(results: &ClusterResults, width: Width) -> String {
    let each = width.shows_each();
    page([
        width.lines(&results.head.title),
        width.lines(&sentence(results)),
        drawing(results, each),
        vms(results, each, width),
        refused(results, each, width),
        room(&results.room, width),
        policies(&results.policies, width),
        balancing(results.balancing.as_deref(), each, width),
    ])
}

/// The answer in short.
fn sentence(results: &ClusterResults) -> String {
    let counts = &results.counts;
    let all = format!("{} of {}", counts.placed, counted(counts.asked, "VM"));
    let where_ =
        format!("{} with {}", counted(counts.hosts, "host"), counted(counts.cards, "card"));
    let refused = match counts.refused {
        0 => "none was refused".to_string(),
        1 => "1 was refused".to_string(),
        many => format!("{many} were refused"),
    };
    let own = if results.is_vsphere { "" } else { " (not vSphere's)" };
    format!(
        "{all} found a place on {where_}; {refused}. Policy {}{own}, cards by {}, {} mode; drawn at {}, when {} on.",
        results.policy,
        results.assignment,
        results.vgpu_mode,
        moment(results.at_s),
        match counts.on {
            1 => "1 VM is".to_string(),
            many => format!("{many} VMs are"),
        }
    )
}

fn drawing(results: &ClusterResults, each: bool) -> String {
    let hosts = alike(&results.hosts, each);
    let most = if each { usize::MAX } else { DRAWN };
    let mut text: String = hosts.iter().take(most).map(host).collect();
    if let Some(rest) = hosts.get(most..).filter(|rest| !rest.is_empty()) {
        let all: usize = rest.iter().map(|one| one.names.len()).sum();
        text.push_str(&format!("and {} that look otherwise: hosts.csv\n", counted(all, "host")));
    }
    text
}

/// A host, or several that look alike, with their cards.
fn host(of: &Alike<'_>) -> String {
    let host = of.host;
    let name = match &of.names[..] {
        [one] => shown(one).into_owned(),
        many => format!("{} and {} like it", shown(many[0]), counted(many.len() - 1, "host")),
    };
    let mut text = format!(
        "{name}: {}, {} vCPUs on {} logical processors, {} of {} GiB of memory{}\n",
        counted(host.vms, "VM"),
        host.vcpus,
        host.logical_processors,
        whole(host.memory_used_gib),
        whole(host.memory_gib),
        if host.is_failover { ", kept free for a failure" } else { "" }
    );
    let is_one = of.names.len() == 1;
    for card in &host.cards {
        let used = card.frame_buffer_gib - card.free_gib;
        text.push_str(&format!(
            "  GPU {:<2} {} {}, {} of {} GiB\n",
            card.card,
            bar(card, is_one),
            card.mode,
            super::plain(used),
            super::plain(card.frame_buffer_gib)
        ));
    }
    text
}

/// `│web-1 A100-10C│web-2│░░░░│`: as much of a label as there is room for.
fn bar(card: &ClusterCard, names: bool) -> String {
    let mut cells = vec!['░'; BAR + 1];
    let column = |at: f64| ((at / card.end).clamp(0.0, 1.0) * BAR as f64).round() as usize;
    for resident in &card.residents {
        let (from, to) = (column(resident.span[0]), column(resident.span[1]));
        (cells[from], cells[to]) = ('│', '│');
        let inside = &mut cells[from + 1..to.max(from + 1)];
        inside.fill(' ');
        let (vm, kind) = (shown(&resident.vm), shown(&resident.r#type));
        let labels = match names {
            true => [format!("{vm} {kind}"), vm.to_string(), number_of(&vm).to_string()],
            false => [kind.to_string(), String::new(), String::new()],
        };
        let fits = |label: &&String| label.chars().count() <= inside.len();
        let label = labels.iter().find(fits).cloned().unwrap_or_default();
        for (cell, letter) in inside.iter_mut().zip(label.chars()) {
            *cell = letter;
        }
    }
    (cells[0], cells[BAR]) = ('│', '│');
    cells.into_iter().collect()
}

fn vms(results: &ClusterResults, each: bool, width: Width) -> String {
    use Column::Text;
    let most = if each { usize::MAX } else { ROWS };
    let grid = Columns::new()
        .with("VM", Text, |vm: &&ClusterVm| vm.vm.clone())
        .with("GPUs", Text, |vm| vm.gpus.clone())
        .with("host", Text, |vm| vm.host.clone())
        .with("card", Text, |vm| listed(&vm.cards))
        .with("place", Text, |vm| listed(&vm.starts))
        .of(results.vms.iter().take(most));
    let rest = results.vms.len().saturating_sub(most);
    let more = match rest {
        0 => String::new(),
        _ => format!("and {}: vms.csv, or --all\n", counted(rest, "VM")),
    };
    match results.vms.is_empty() {
        true => String::new(),
        false => grid.finish(width) + &more,
    }
}

fn listed(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// VMs that were refused for the same reason are one line.
fn refused(results: &ClusterResults, each: bool, width: Width) -> String {
    let mut groups: Vec<(&NotPlaced, Vec<&str>)> = Vec::new();
    for one in &results.refused {
        let same = |(other, _): &&mut (&NotPlaced, Vec<&str>)| {
            !each && other.because == one.because && other.gpus == one.gpus
        };
        match groups.iter_mut().find(same) {
            Some((_, names)) => names.push(&one.vm),
            None => groups.push((one, vec![&one.vm])),
        }
    }
    let most = if each { usize::MAX } else { REASONS };
    let lines = groups.iter().take(most).map(|(one, names)| {
        let who = match &names[..] {
            [name] => name.to_string(),
            many => format!("{} and {} more", many[0], many.len() - 1),
        };
        let at = moment(one.at_s);
        width.item(&format!("{who} ({}, at {at}): {}", one.gpus, one.because))
    });
    let lines: String = lines.collect();
    let rest = groups.len().saturating_sub(most);
    let more = match rest {
        0 => String::new(),
        _ => format!("  and {} more reasons: refused.csv, or --all\n", rest),
    };
    if lines.is_empty() { lines } else { format!("refused:\n{lines}{more}") }
}

/// What the free frame buffer is worth for each kind of VM.
fn room(rows: &[ClusterRoom], width: Width) -> String {
    use Column::{Number, Text};
    let grid = Columns::new()
        .with("room for", Text, |row: &&ClusterRoom| row.gpus.clone())
        .with("as of", Text, |row| match &row.vms[..] {
            [one] => one.clone(),
            [one, other] => format!("{one}, {other}"),
            many => format!("{} and {} more", many[0], many.len() - 1),
        })
        .with("free GiB", Number, |row| super::plain(row.free_gib))
        .with("placeable GiB", Number, |row| super::plain(row.placeable_gib))
        .with("more VMs", Number, |row| row.more.to_string())
        .with("free, but not for it (GiB)", Text, |row| {
            let each = row.stranded.iter();
            let each = each.map(|part| format!("{} {}", part.cause, super::plain(part.gib)));
            each.collect::<Vec<_>>().join(", ")
        });
    match rows.is_empty() {
        true => String::new(),
        false => grid.of(rows).finish(width),
    }
}

fn policies(rows: &[ClusterPolicy], width: Width) -> String {
    use Column::{Number, Text};
    if rows.len() < 2 {
        return String::new();
    }
    let grid = Columns::new()
        .with("policy", Text, |row: &&ClusterPolicy| row.policy.to_string())
        .with("placed", Number, |row| row.placed.to_string())
        .with("refused", Number, |row| row.refused.to_string())
        .with("hosts in use", Number, |row| row.hosts_in_use.to_string())
        .with("cards in use", Number, |row| row.cards_in_use.to_string())
        .with("free GiB", Number, |row| super::plain(row.free_gib))
        .with("placeable %", Number, |row| {
            super::or_dash(row.placeable, |part| format!("{:.1}", part * 100.0))
        })
        .with("", Text, |row| if row.is_vsphere { "" } else { "not vSphere's" }.to_string());
    grid.of(rows).finish(width)
}

fn balancing(moves: Option<&[ClusterMove]>, each: bool, width: Width) -> String {
    use Column::{Number, Text};
    let Some(moves) = moves else { return String::new() };
    let head = "Hypothetical, not vSphere's: what a balancing of GPU load would move. DRS has no GPU \
        in its score. Each move needs a free place of the same type at the other end, and holds both \
        while it copies.";
    if moves.is_empty() {
        return width.lines(head) + "no move would bring two hosts closer\n";
    }
    let most = if each { usize::MAX } else { ROWS };
    let grid = Columns::new()
        .with("move", Text, |one: &&ClusterMove| one.vm.clone())
        .with("GPUs", Text, |one| one.gpus.clone())
        .with("from", Text, |one| one.from.clone())
        .with("to", Text, |one| one.to.clone())
        .with("card there", Text, |one| listed(&one.cards))
        .with("held twice GiB", Number, |one| super::plain(one.held_gib))
        .of(moves.iter().take(most));
    let rest = moves.len().saturating_sub(most);
    let more = match rest {
        0 => String::new(),
        _ => format!("and {}: placement.json\n", counted(rest, "move")),
    };
    width.lines(head) + &grid.finish(width) + &more
}

/// A moment of the history: `90 min`, `23.7 h`.
fn moment(seconds: f64) -> String {
    match seconds {
        long if long >= 7200.0 => format!("{:.1} h", long / 3600.0),
        some if some >= 120.0 => format!("{:.0} min", some / 60.0),
        short => format!("{} s", super::plain(short)),
    }
}

/// Without decimals.
fn whole(number: f64) -> String {
    format!("{number:.0}")
}
