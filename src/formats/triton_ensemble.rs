//! An ensemble's `config.pbtxt`: its steps in the order in which a query goes through them.
//!
//! A step runs once all its tensors exist, so tensors define the order. Steps that could run in
//! parallel are refused: an ensemble is a chain here. Source: `ModelEnsembling`
//! (triton-inference-server/common, `model_config.proto`).

use super::text_format::{self, Message};
use super::triton_config::{Look, MODEL, last};
use super::{FAULTS_MAX, Fault, Placed};
use crate::suggest::quoted;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

const STEP: [&str; 5] =
    ["model_name", "model_version", "input_map", "output_map", "model_namespace"];

/// A step, as it is written.
struct Step {
    model: Placed<String>,
    inputs: Vec<Placed<String>>,
    outputs: Vec<Placed<String>>,
}

/// The models of an ensemble, in order; or all faults.
pub fn read(text: &str) -> Result<Vec<Placed<String>>, Vec<Fault>> {
    let message = text_format::read(text).map_err(|fault| vec![fault])?;
    let mut look = Look::default();
    look.names(&message, "a model configuration", &MODEL);
    let Some((field, scheduling)) = look.message(&message, "ensemble_scheduling") else {
        let fault = Fault::at(0..0, "no `ensemble_scheduling`: it is a model by itself");
        look.faults.push(fault.help("name it in a [[vm.model]]"));
        return Err(look.faults);
    };
    let place = field.name.span.clone();
    refused(&mut look, &message);
    look.names(scheduling, "`ensemble_scheduling`", &["step", "max_inflight_requests"]);
    let steps = look.messages(scheduling, "step");
    let steps: Vec<Step> = steps
        .into_iter()
        .filter_map(|(span, step)| read_step(&mut look, text, span, step))
        .collect();
    if steps.is_empty() && look.faults.is_empty() {
        look.faults.push(Fault::at(place, "an ensemble without steps"));
    }
    let given = look.messages(&message, "input");
    let given: BTreeSet<String> = given
        .into_iter()
        .filter_map(|(_, input)| Some(string(text, input, "name")?.value))
        .collect();
    let order = if look.faults.is_empty() { order(&mut look, &steps, &given) } else { Vec::new() };
    look.faults.truncate(FAULTS_MAX);
    if !look.faults.is_empty() {
        return Err(look.faults);
    }
    Ok(order.into_iter().map(|step| steps[step].model.clone()).collect())
}

/// What no chain of models can be.
fn refused(look: &mut Look, message: &Message) {
    if let Some(field) = last(message, "sequence_batching") {
        let title = "`sequence_batching`: sequences of queries are not modelled";
        look.faults.push(Fault::at(field.name.span.clone(), title));
    }
    if let Some((_, policy)) = look.message(message, "model_transaction_policy")
        && let Some(found) = look.flag(policy, "decoupled").filter(|found| found.value)
    {
        let title = "decoupled responses are not modelled: a query has one answer";
        look.faults.push(Fault::at(found.span, title));
    }
}

fn read_step(look: &mut Look, text: &str, span: Range<usize>, step: &Message) -> Option<Step> {
    look.names(step, "a step", &STEP);
    let model = string(text, step, "model_name");
    if model.is_none() {
        let fault = Fault::at(span, "a step without `model_name`");
        look.faults.push(fault.allowed("model_name: \"the model's folder\""));
    }
    let mut tensors = |name: &str| {
        let entries = look.messages(step, name);
        entries.into_iter().filter_map(|(_, entry)| string(text, entry, "value")).collect()
    };
    let (inputs, outputs) = (tensors("input_map"), tensors("output_map"));
    Some(Step { model: model?, inputs, outputs })
}

/// The places of the steps, each after those whose tensors it needs.
fn order(look: &mut Look, steps: &[Step], given: &BTreeSet<String>) -> Vec<usize> {
    let mut made_by: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, step) in steps.iter().enumerate() {
        for output in &step.outputs {
            if made_by.insert(&output.value, place).is_some() {
                let title = format!("two steps make the tensor {}", quoted(&output.value));
                look.faults.push(Fault::at(output.span.clone(), title));
            }
        }
    }
    for input in steps.iter().flat_map(|step| &step.inputs) {
        let is_known = made_by.contains_key(&*input.value) || given.contains(&input.value);
        if !is_known && !given.is_empty() {
            let title = format!("no step makes the tensor {}", quoted(&input.value));
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            let allowed =
                format!("an output of a step, or an input of the ensemble: {}", given.join(", "));
            look.faults.push(Fault::at(input.span.clone(), title).allowed(allowed));
        }
    }
    let mut order: Vec<usize> = Vec::new();
    while look.faults.is_empty() && order.len() < steps.len() {
        let is_there = |input: &Placed<String>| {
            made_by.get(&*input.value).is_none_or(|maker| order.contains(maker))
        };
        let is_ready =
            |place: &usize| !order.contains(place) && steps[*place].inputs.iter().all(is_there);
        let ready: Vec<usize> = (0..steps.len()).filter(is_ready).collect();
        match ready[..] {
            [next] => order.push(next),
            [] => {
                let left = (0..steps.len()).find(|place| !order.contains(place));
                let model = &steps[left.expect("a step is left")].model;
                let title = format!("{} waits for its own answer", quoted(&model.value));
                let fault = Fault::at(model.span.clone(), title);
                look.faults.push(fault.help("steps whose tensors form a cycle never begin"));
            }
            [one, other, ..] => {
                let [one, other] = [one, other].map(|place| &steps[place].model);
                let title = format!(
                    "steps {} and {} run in parallel, which is not modelled",
                    quoted(&one.value),
                    quoted(&other.value)
                );
                let help = "an ensemble is a chain here: write `steps` with the slower of them, or one after the other";
                look.faults.push(Fault::at(other.span.clone(), title).help(help));
            }
        }
    }
    order
}

/// A string field, as it stands between its quotes.
fn string(text: &str, message: &Message, name: &str) -> Option<Placed<String>> {
    let value = &last(message, name)?.value;
    let written = text.get(value.span.clone())?.trim();
    let inside = |quote: char| written.strip_prefix(quote)?.strip_suffix(quote);
    let found = inside('"').or_else(|| inside('\''))?;
    Some(Placed { value: found.to_string(), span: value.span.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(model: &str, inputs: &[&str], outputs: &[&str]) -> String {
        let map = |name: &str, tensors: &[&str]| -> String {
            let entries = tensors
                .iter()
                .map(|tensor| format!("{name} {{ key: \"k\" value: \"{tensor}\" }}\n"));
            entries.collect()
        };
        format!(
            "step {{ model_name: \"{model}\" model_version: -1 {} {} }}\n",
            map("input_map", inputs),
            map("output_map", outputs)
        )
    }

    fn ensemble(steps: &[String]) -> Result<Vec<String>, String> {
        let text = format!(
            "name: \"both\" platform: \"ensemble\" input [{{ name: \"raw\" }}]\nensemble_scheduling {{ {} }}",
            steps.concat()
        );
        let models = read(&text).map_err(|faults| faults[0].title.clone())?;
        Ok(models.into_iter().map(|model| model.value).collect())
    }

    #[test]
    fn tensors_say_the_order() {
        let decode = step("decode", &["raw"], &["image"]);
        let detect = step("detect", &["image"], &["boxes"]);
        // What a later step needs besides changes nothing.
        let name = step("name", &["boxes", "image"], &["names"]);
        let steps = [name, detect.clone(), decode];
        assert_eq!(ensemble(&steps).unwrap(), ["decode", "detect", "name"]);
        assert_eq!(ensemble(&[step("one", &["raw"], &["out"])]).unwrap(), ["one"]);
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        let decode = step("decode", &["raw"], &["image"]);
        let fork = [decode.clone(), step("a", &["image"], &["x"]), step("b", &["image"], &["y"])];
        assert_eq!(
            ensemble(&fork).unwrap_err(),
            "steps \"a\" and \"b\" run in parallel, which is not modelled"
        );
        let circle = [step("a", &["y", "raw"], &["x"]), step("b", &["x"], &["y"])];
        assert_eq!(ensemble(&circle).unwrap_err(), "\"a\" waits for its own answer");
        let missing = [step("a", &["nothing"], &["x"])];
        assert_eq!(ensemble(&missing).unwrap_err(), "no step makes the tensor \"nothing\"");
        let twice = [decode.clone(), step("a", &["image"], &["image"])];
        assert_eq!(ensemble(&twice).unwrap_err(), "two steps make the tensor \"image\"");
        assert_eq!(ensemble(&[]).unwrap_err(), "an ensemble without steps");
        assert!(
            read("name: \"m\" max_batch_size: 8").unwrap_err()[0]
                .title
                .contains("a model by itself")
        );
    }
}
