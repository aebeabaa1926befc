//! The catalogue's file of a model, made of its Hugging Face `config.json`.

use super::models::{FIGURES, TIED};
use serde_json::{Map, Value};

/// Other names of the figures, in configurations of some families.
const OTHER_NAMES: [(&str, &[&str]); 3] = [
    ("num_local_experts", &["num_experts"]),
    // Where both are, the experts' own counts.
    ("intermediate_size", &["moe_intermediate_size"]),
    ("max_position_embeddings", &["n_positions", "max_seq_len"]),
];

/// The file's text, with `name` for people; or why it cannot be made.
pub fn model_of_config(text: &str, name: &str) -> Result<String, String> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let top = document.as_object().ok_or("is no table of figures, as config.json is")?;
    // Models that see pictures keep their decoder's figures apart.
    let own = top.get("text_config").and_then(Value::as_object).unwrap_or(top);
    refuse(own)?;
    let mut figures = String::new();
    let mut known = Vec::new();
    for figure in &FIGURES {
        let found = find(own, figure.key);
        let number = match found {
            None => figure.absent(&known).ok_or_else(|| {
                format!(
                    "has no `{}` ({}): is it a config.json of a decoder?",
                    figure.key, figure.about
                )
            })?,
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                let number = number.filter(|number| (1..=figure.most).contains(number));
                number.ok_or_else(|| {
                    format!("`{}` is {value}, allowed is 1 to {}", figure.key, figure.most)
                })?
            }
        };
        known.push(number);
        figures.push_str(&format!("{} = {number}\n", figure.key));
    }
    let tied = own.get(TIED).or_else(|| top.get(TIED)).and_then(Value::as_bool).unwrap_or(false);
    figures.push_str(&format!("{TIED} = {tied}\n"));
    let notes: String = notes(top, own).iter().map(|note| format!("# {note}\n")).collect();
    let name = name.replace(['"', '\\', '\n', '\r'], " ");
    Ok(format!(
        "# {name}, by its config.json.\n{notes}name = \"{name}\"\n\n[config]\n{figures}source = \"its config.json\"\nstanding = \"documented\"\n"
    ))
}

fn find<'v>(own: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    let others =
        OTHER_NAMES.iter().find(|(known, _)| *known == key).map_or(&[][..], |(_, all)| all);
    let of_experts = others.iter().filter(|other| other.starts_with("moe_"));
    let others = others.iter().filter(|other| !other.starts_with("moe_"));
    let mut names = of_experts.chain([&key]).chain(others);
    names.find_map(|name| own.get(*name).filter(|value| !value.is_null()))
}

/// What no law of steps here is for.
fn refuse(own: &Map<String, Value>) -> Result<(), String> {
    let is = |key: &str| own.get(key).is_some_and(|value| !value.is_null());
    if own.get("is_encoder_decoder") == Some(&Value::Bool(true)) {
        return Err("is of an encoder with a decoder; only decoders are simulated".to_string());
    }
    if is("kv_lora_rank") {
        return Err("has latent attention (kv_lora_rank), whose keys and values are not simulated"
            .to_string());
    }
    if is("state_size") || is("mamba_d_state") || is("ssm_state_size") {
        return Err(
            "has layers with a state instead of attention, which are not simulated".to_string()
        );
    }
    Ok(())
}

/// What is in the configuration and not in the model.
fn notes(top: &Map<String, Value>, own: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let window = own.get("sliding_window").filter(|value| value.as_u64().is_some());
    if let Some(window) =
        window.filter(|_| own.get("use_sliding_window") != Some(&Value::Bool(false)))
    {
        notes.push(format!("Its window of {window} tokens (sliding_window) is not modelled: all layers keep the whole context."));
    }
    if let Some(method) =
        top.get("quantization_config").and_then(|value| value["quant_method"].as_str())
    {
        let method: String =
            method.chars().filter(|letter| !letter.is_control()).take(40).collect();
        notes.push(format!("It ships in {method}: say what its weights are stored in with llm = {{ weights = ... }}."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Catalogue;

    #[test]
    fn a_file_of_a_config_is_read_as_the_model() {
        // The figures of Mixtral 8x7B (mistralai/Mixtral-8x7B-v0.1), with its name of the window.
        let config = r#"{ "architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
            "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2,
            "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "sliding_window": null,
            "tie_word_embeddings": false, "vocab_size": 32000 }"#;
        let text = model_of_config(config, "Mixtral").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("models")).unwrap();
        std::fs::write(folder.path().join("models/mine.toml"), text).unwrap();
        let catalogue =
            Catalogue::load(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
        let (mine, known) =
            (catalogue.model("mine").unwrap(), catalogue.model("mixtral-8x7b").unwrap());
        let parameters = mine.linear_parameters();
        assert_eq!((parameters, mine.context_max), (known.linear_parameters(), known.context_max));
        assert_eq!(mine.head_dim, 128);
    }

    #[test]
    fn what_is_no_decoder_is_refused() {
        for (config, why) in [
            ("", "is no JSON"),
            ("[1]", "is no table"),
            ("{}", "has no `num_hidden_layers`"),
            (r#"{ "is_encoder_decoder": true }"#, "encoder"),
            (r#"{ "kv_lora_rank": 512 }"#, "latent attention"),
            (r#"{ "num_hidden_layers": -3 }"#, "`num_hidden_layers` is -3"),
        ] {
            let found = model_of_config(config, "x").unwrap_err();
            assert!(found.contains(why), "{config}: {found}");
        }
    }
}
