//! The verdict on a capacity search: the highest rates, side by side where they are rates of the same
//! load.

use super::figures::digits;
use super::verdict::{Verdict, time};
use crate::units::counted;

/// A system as the verdict sees it.
#[derive(Clone, Debug)]
pub(super) struct Rated<'s> {
    pub(super) name: &'s str,
    /// Workloads and latency bounds of its Server VMs, each once: rates of two loads do not compare.
    pub(super) load: Vec<(&'s str, f64)>,
    /// Cards in use.
    pub(super) cards: usize,
    /// Of all Server VMs together; 0 where no rate is VALID.
    pub(super) per_s: f64,
    /// That rate over the one of bare metal on the same cards.
    pub(super) ratio: Option<f64>,
}

/// So many loads have a sentence each.
const LOADS_MOST: usize = 3;

/// The verdict on systems that are not there only to be compared with.
pub(super) fn of(systems: &[Rated<'_>]) -> Verdict {
    if systems.is_empty() {
        return Verdict::default();
    }
    if systems.iter().all(|system| system.per_s == 0.0) {
        let which = if systems.len() > 1 { "of any system " } else { "" };
        return Verdict::of(Some(false), [format!("NO: no rate {which}is VALID")]);
    }
    let mut loads: Vec<Vec<&Rated<'_>>> = Vec::new();
    for system in systems {
        match loads.iter_mut().find(|alike| alike[0].load == system.load) {
            Some(alike) => alike.push(system),
            None => loads.push(vec![system]),
        }
    }
    let cards = systems.iter().any(|system| system.cards != systems[0].cards);
    match &loads[..] {
        [alike] => Verdict::of(None, of_alike(alike, "", cards)),
        _ if loads.len() <= LOADS_MOST => {
            let of_load = |alike: &Vec<&Rated<'_>>| {
                of_alike(alike, &format!("with {} ", workloads(alike[0])), cards)
            };
            Verdict::of(None, loads.iter().flat_map(of_load))
        }
        _ => Verdict::of(None, of_many(systems, loads.len())),
    }
}

/// Systems under the same load, which `with` names: the most and the least of them.
fn of_alike(alike: &[&Rated<'_>], with: &str, cards: bool) -> Vec<String> {
    let by_rate = |one: &&&Rated<'_>, other: &&&Rated<'_>| one.per_s.total_cmp(&other.per_s);
    let Some(best) = alike.iter().max_by(by_rate) else { return Vec::new() };
    if best.per_s == 0.0 {
        return vec![format!("{with}no rate is VALID")];
    }
    let most = rate(best, cards, &format!(" {}", within(best)));
    if alike.len() == 1 {
        return vec![format!("{with}at most {most}")];
    }
    let lowest = alike.iter().min_by(by_rate).map_or(0.0, |least| least.per_s);
    if digits(lowest) == digits(best.per_s) {
        return vec![format!("{with}all {} have {most}", counted(alike.len(), "system"))];
    }
    let mut told = vec![format!("{with}most has \"{}\": {most}", best.name)];
    let least = alike.iter().min_by(by_rate).filter(|least| least.name != best.name);
    told.extend(least.map(|least| match least.per_s > 0.0 {
        true => format!("{with}least has \"{}\": {}", least.name, rate(least, cards, "")),
        false => format!("{with}no rate of \"{}\" is VALID", least.name),
    }));
    told
}

/// Systems under many loads: what does compare are the ratios to bare metal.
fn of_many(systems: &[Rated<'_>], loads: usize) -> Vec<String> {
    let mut told = Vec::new();
    let ratios = systems.iter().filter_map(|system| Some((system, system.ratio?)));
    let by_ratio = |one: &(&Rated<'_>, f64), other: &(&Rated<'_>, f64)| one.1.total_cmp(&other.1);
    let ends = ratios.clone().min_by(by_ratio).zip(ratios.clone().max_by(by_ratio));
    let kept = |(system, ratio): (&Rated<'_>, f64)| {
        format!("\"{}\" ({ratio:.3}: {}/s {})", system.name, digits(system.per_s), within(system))
    };
    match ends {
        Some((least, most)) if least.0.name != most.0.name => told.push(format!(
            "Of the highest rate of bare metal on the same cards {} keeps the most and {} the least, \
             of {}",
            kept(most),
            kept(least),
            counted(ratios.count(), "system")
        )),
        _ => told.push(format!(
            "{} under {loads} loads, whose rates do not compare; \"{}\", with {}, at most {}",
            counted(systems.len(), "system"),
            systems[0].name,
            workloads(&systems[0]),
            rate(&systems[0], true, &format!(" {}", within(&systems[0])))
        )),
    }
    let none = systems.iter().filter(|system| system.per_s == 0.0).count();
    if none > 0 {
        told.push(format!("Of {} no rate is VALID", counted(none, "system")));
    }
    told
}

fn rate(system: &Rated<'_>, cards: bool, within: &str) -> String {
    let cards = match cards {
        true => format!(" on {}", counted(system.cards, "card")),
        false => String::new(),
    };
    let ratio = system
        .ratio
        .map_or(String::new(), |ratio| format!(", {ratio:.3} of bare metal on the same cards"));
    format!("{}/s{cards}{within}{ratio}", digits(system.per_s))
}

fn within(system: &Rated<'_>) -> String {
    match &system.load[..] {
        [(_, bound)] => format!("within {}", time(*bound)),
        [(_, first), rest @ ..] if rest.iter().all(|(_, bound)| bound == first) => {
            format!("within {}", time(*first))
        }
        _ => "within the bounds of its VMs".to_string(),
    }
}

/// `bert-99 and resnet50`.
fn workloads(system: &Rated<'_>) -> String {
    let mut names: Vec<&str> = system.load.iter().map(|(name, _)| *name).collect();
    names.dedup();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: [(&str, f64); 1] = [("bert-99", 130.0)];
    const SSD: [(&str, f64); 1] = [("ssd-resnet34", 100.0)];

    fn rated<'s>(name: &'s str, load: &[(&'s str, f64)], per_s: f64, ratio: f64) -> Rated<'s> {
        Rated { name, load: load.to_vec(), cards: 1, per_s, ratio: Some(ratio) }
    }

    fn said(systems: &[Rated<'_>]) -> String {
        of(systems).sentences.join(" ")
    }

    /// Rates of BERT and of SSD are never beside each other; those of BERT are.
    #[test]
    fn only_rates_of_one_load_are_compared() {
        let (one, two) = (rated("one", &BERT, 900.0, 0.97), rated("two", &BERT, 700.0, 0.75));
        let other = rated("other", &SSD, 40.0, 0.99);
        assert_eq!(
            said(&[one.clone(), two.clone()]),
            "Most has \"one\": 900/s within 130 ms, 0.970 of bare metal on the same cards. Least has \
             \"two\": 700/s, 0.750 of bare metal on the same cards."
        );
        assert_eq!(
            said(&[one.clone(), other.clone()]),
            "With bert-99 at most 900/s within 130 ms, 0.970 of bare metal on the same cards. With \
             ssd-resnet34 at most 40/s within 100 ms, 0.990 of bare metal on the same cards."
        );
        let both = said(&[other, one, two]);
        assert!(both.contains("With bert-99 most has \"one\": 900/s within 130 ms"), "{both}");
        assert!(both.contains("With bert-99 least has \"two\": 700/s"), "{both}");
    }

    /// Of many loads the ratios compare; where there are none, no two rates are named together.
    #[test]
    fn many_loads_are_compared_by_their_ratios_alone() {
        let names = ["a", "b", "c", "d"];
        let systems = |ratio: bool| -> Vec<Rated<'static>> {
            let each = names.iter().zip([0.9, 0.99, 0.8, 0.95]).map(|(name, of)| Rated {
                ratio: ratio.then_some(of),
                ..rated(name, &[(*name, 50.0)], 10.0, of)
            });
            each.collect()
        };
        let with = said(&systems(true));
        assert!(with.contains("\"b\" (0.990") && with.contains("\"c\" (0.800"), "{with}");
        let without = said(&systems(false));
        assert_eq!(without.matches("/s").count(), 1, "{without}");
    }

    #[test]
    fn cards_are_named_where_they_differ() {
        let (one, two) = (rated("one", &BERT, 900.0, 0.9), rated("two", &BERT, 700.0, 0.9));
        assert!(!said(&[one.clone(), two.clone()]).contains(" on 1 card "));
        let both = said(&[one, Rated { cards: 2, ..two }]);
        assert!(both.contains("900/s on 1 card within") && both.contains("700/s on 2 cards"));
    }
}
