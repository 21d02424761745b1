//! YAML as Compose and Prometheus read it: anchors followed, `<<` merged.

use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlLoader};

use crate::tree::Tree;

/// The key whose maps are merged into the one it stands in (yaml.org/type/merge.html).
const MERGE: &str = "<<";

/// The first document of a file, or the sentence that says why there is none.
pub fn read(tree: &Tree, path: &str) -> Result<Yaml, String> {
    let documents = YamlLoader::load_from_str(tree.require(path)?)
        .map_err(|error| format!("{path} is not YAML: {error}"))?;
    let document = documents.into_iter().next();
    Ok(merged(document.unwrap_or(Yaml::Null)))
}

/// A number, a flag or a text as a text; empty for everything else.
pub fn scalar(value: &Yaml) -> String {
    match value {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// The items of a list, or the words of a text.
pub fn words(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().map(scalar).collect(),
        Yaml::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The entries of a map, in the order of the file.
pub fn entries(value: &Yaml) -> impl Iterator<Item = (String, &Yaml)> {
    let map = value.as_hash().into_iter().flatten();
    map.map(|(name, value)| (scalar(name), value))
}

/// The items of a list.
pub fn items(value: &Yaml) -> impl Iterator<Item = &Yaml> {
    value.as_vec().into_iter().flatten()
}

fn merged(value: Yaml) -> Yaml {
    match value {
        Yaml::Array(items) => Yaml::Array(items.into_iter().map(merged).collect()),
        Yaml::Hash(map) => Yaml::Hash(merged_map(map)),
        other => other,
    }
}

/// What the map says itself wins over what is merged into it.
fn merged_map(mut map: Hash) -> Hash {
    let below = map.remove(&Yaml::String(MERGE.to_owned()));
    let mut whole: Hash = map
        .into_iter()
        .map(|(name, value)| (name, merged(value)))
        .collect();
    let layers = match below {
        Some(Yaml::Array(layers)) => layers,
        Some(layer) => vec![layer],
        None => Vec::new(),
    };
    for (name, value) in layers
        .into_iter()
        .map(merged)
        .filter_map(Yaml::into_hash)
        .flatten()
    {
        whole.entry(name).or_insert(value);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Yaml, String> {
        read(&Tree::of(&[("a.yml", text)]), "a.yml")
    }

    #[test]
    fn a_map_keeps_its_own_and_takes_the_rest_from_below() {
        let text = "
x-base: &base { image: one, tags: [a] }
x-more: &more { <<: *base, user: me, image: two }
service: { <<: *more, user: you }
both: { <<: [{ a: 1 }, { a: 2, b: 2 }] }";
        let file = of(text).unwrap();
        let service = &file["service"];
        assert_eq!(scalar(&service["image"]), "two");
        assert_eq!(scalar(&service["user"]), "you");
        assert_eq!(words(&service["tags"]), ["a"]);
        assert!(service[MERGE].is_badvalue());
        assert_eq!(scalar(&file["both"]["a"]), "1");
        assert_eq!(scalar(&file["both"]["b"]), "2");
    }

    #[test]
    fn what_is_not_yaml_and_what_is_not_there_is_said() {
        assert!(of("a: [").unwrap_err().starts_with("a.yml is not YAML"));
        assert!(of("").unwrap().is_null());
        let missing = read(&Tree::default(), "a.yml");
        assert_eq!(missing.unwrap_err(), "a.yml does not exist");
    }
}
