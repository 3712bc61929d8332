//! Reads a JSON Schema document into [`Shape`]s: follows references, reads the marks, and compiles the conditions of
//! branches. What it cannot follow is an error at the start, so that no mark is lost without a word.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use jsonschema::{Draft, JsonType, PatternOptions, Retrieve, Uri, ValidationOptions, Validator};
use serde_json::{Map, Value, json};
use url::Url;

use super::SchemaError;
use super::extension::{EXTENSION, Marks};
use super::shape::{Guard, Items, Part, Shape};
use crate::normal;

/// The base of a document that names none.
const NAMELESS: &str = "identity:///schema.json";

/// How many schemas one document may hold, references followed. References can double with each level; this ends it.
const MAX_SHAPES: usize = 10_000;

/// How deep schemas may stand in one another, references followed.
const MAX_DEPTH: usize = 48;

/// How many steps a `pattern` with look-around or back-references may take on one value; all others take linear time.
const PATTERN_STEPS: usize = 100_000;

/// A document and what it may refer to.
pub(super) struct Builder<'a> {
    /// By address without fragment; the schema itself comes first.
    documents: Vec<(String, &'a Value)>,
    /// The places that a schema names by `$id` or `$anchor`.
    names: Vec<Name>,
    draft: Draft,
    loaded: Arc<HashMap<String, Value>>,
    left: usize,
    depth: usize,
}

/// Where a schema stands.
#[derive(Clone)]
struct Place {
    document: usize,
    pointer: String,
    base: String,
}

/// A place with a name: an address, with a fragment if it is an anchor.
struct Name {
    name: String,
    /// Its base is the one around it; what it calls itself is not yet taken into account.
    place: Place,
}

impl Place {
    fn child(&self, step: &str) -> Self {
        let pointer = format!("{}/{}", self.pointer, step.replace('~', "~0").replace('/', "~1"));
        Self { document: self.document, pointer, base: self.base.clone() }
    }
}

/// Gives out documents that were loaded before; reads nothing itself.
struct Loaded(Arc<HashMap<String, Value>>);

impl Retrieve for Loaded {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let address = without_fragment(uri.as_str());
        self.0.get(address).cloned().ok_or_else(|| format!("the schema refers to {address}, which is not at hand").into())
    }
}

fn without_fragment(address: &str) -> &str {
    address.split_once('#').map_or(address, |(before, _)| before)
}

fn join(base: &str, reference: &str) -> String {
    Url::parse(base).and_then(|base| base.join(reference)).map_or_else(|_| reference.to_owned(), |url| url.to_string())
}

/// Percent-decodes a fragment; what is no escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = (byte == b'%').then(|| Some(hex(ahead.next()?)? << 4 | hex(ahead.next()?)?)).flatten();
        if escaped.is_some() {
            bytes = ahead;
        }
        out.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Percent-encodes a JSON pointer for a fragment.
fn percent_encode(pointer: &str) -> String {
    let mut out = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl<'a> Builder<'a> {
    /// For a document and the others that it may refer to, by their addresses.
    pub(super) fn new(document: &'a Value, resources: &'a [(String, Value)]) -> Self {
        let own = document.get("$id").and_then(Value::as_str).map_or("", without_fragment);
        let mut documents = vec![(join(NAMELESS, own), document)];
        documents.extend(resources.iter().map(|(address, value)| (without_fragment(address).to_owned(), value)));
        let mut names = Vec::new();
        for (index, (address, value)) in documents.iter().enumerate() {
            collect_names(value, &Place { document: index, pointer: String::new(), base: address.clone() }, 0, &mut names);
        }
        let loaded = documents.iter().map(|(address, value)| (address.clone(), (*value).clone())).collect();
        Self { draft: draft_of(document), loaded: Arc::new(loaded), documents, names, left: MAX_SHAPES, depth: 0 }
    }

    /// The validator of the whole document.
    pub(super) fn validator(&self, document: &Value) -> Result<Validator, SchemaError> {
        let address = self.documents.first().map_or(NAMELESS, |(address, _)| address);
        self.options().with_base_uri(address).build(document).map_err(|e| invalid(&e))
    }

    fn options(&self) -> ValidationOptions<'static> {
        jsonschema::options()
            .with_draft(self.draft)
            .with_retriever(Loaded(Arc::clone(&self.loaded)))
            .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS))
            .should_validate_formats(true)
            .with_format("email", normal::is_email)
            .with_format("tel", |text: &str| normal::phone(text).is_some())
            .with_format("no-validate", |_: &str| true)
    }

    /// The validator of a schema inside the documents.
    fn validator_at(&self, place: &Place) -> Result<Arc<Validator>, SchemaError> {
        let address = self.documents.get(place.document).map_or(NAMELESS, |(address, _)| address);
        let reference = json!({ "$ref": format!("{address}#{}", percent_encode(&place.pointer)) });
        self.options().build(&reference).map(Arc::new).map_err(|e| invalid(&e))
    }

    /// The shape of the traits.
    pub(super) fn traits(&mut self) -> Result<Shape, SchemaError> {
        let Some((base, document)) = self.documents.first().cloned() else { return Err(SchemaError::NoTraits) };
        let found = document.get("properties").and_then(|p| p.get("traits")).ok_or(SchemaError::NoTraits)?;
        let place = Place { document: 0, pointer: "/properties/traits".to_owned(), base };
        let shape = self.shape(&place, found, &mut Vec::new(), "traits")?;
        let says_properties = shape.first(|s| s.has_properties_keyword.then_some(())).is_some();
        if says_properties { Ok(shape) } else { Err(SchemaError::NoTraits) }
    }

    fn shape(
        &mut self,
        place: &Place,
        schema: &'a Value,
        refs: &mut Vec<(usize, String)>,
        node: &str,
    ) -> Result<Shape, SchemaError> {
        self.left = self.left.checked_sub(1).ok_or(SchemaError::TooBig)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SchemaError::TooBig);
        }
        let shape = match schema {
            Value::Object(map) => self.object_shape(place.clone(), map, refs, node),
            _ => Ok(Shape::default()),
        };
        self.depth -= 1;
        shape
    }

    fn object_shape(
        &mut self,
        mut place: Place,
        map: &'a Map<String, Value>,
        refs: &mut Vec<(usize, String)>,
        node: &str,
    ) -> Result<Shape, SchemaError> {
        if let Some(id) = map.get("$id").and_then(Value::as_str).filter(|id| !id.starts_with('#')) {
            place.base = join(&place.base, without_fragment(id));
        }
        // Up to draft 7 a reference stands for the whole schema; later it is one condition more.
        let stands_alone = matches!(self.draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7);
        match map.get("$ref").and_then(Value::as_str) {
            Some(reference) if stands_alone => self.referred(&place, reference, refs, node),
            _ => self.own_shape(&place, map, refs, node),
        }
    }

    fn own_shape(
        &mut self,
        place: &Place,
        map: &'a Map<String, Value>,
        refs: &mut Vec<(usize, String)>,
        node: &str,
    ) -> Result<Shape, SchemaError> {
        let mut shape = Shape::default();
        for (keyword, value) in map {
            let here = place.child(keyword);
            match keyword.as_str() {
                "title" => shape.title = value.as_str().map(str::to_owned),
                "format" => shape.format = value.as_str().map(str::to_owned),
                "pattern" => shape.pattern = value.as_str().map(str::to_owned),
                "type" => shape.types = texts(value).filter_map(|t| JsonType::from_str(t).ok()).collect(),
                "required" => shape.required = texts(value).map(str::to_owned).collect(),
                "enum" => shape.options = value.as_array().cloned().unwrap_or_default(),
                "$ref" => {
                    if let Some(reference) = value.as_str() {
                        shape.parts.push(Part::Branch(Guard::Always, self.referred(place, reference, refs, node)?));
                    }
                }
                "properties" => {
                    shape.has_properties_keyword = value.is_object();
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        let inner = self.shape(&here.child(name), inner, refs, &super::shape::child_node(node, name))?;
                        shape.parts.push(Part::Property(name.clone(), inner));
                    }
                }
                "items" | "prefixItems" => shape.items = self.items(&here, value, refs, node)?,
                "additionalProperties" if value.is_object() => {
                    shape.additional = Some(Box::new(self.shape(&here, value, refs, node)?));
                }
                "allOf" | "anyOf" | "oneOf" => {
                    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                        let here = here.child(&index.to_string());
                        let guard = if keyword == "allOf" { Guard::Always } else { Guard::Valid(self.validator_at(&here)?) };
                        shape.parts.push(Part::Branch(guard, self.shape(&here, inner, refs, node)?));
                    }
                }
                "if" => {
                    let holds = self.validator_at(&here)?;
                    shape.parts.push(Part::Branch(Guard::Valid(Arc::clone(&holds)), self.shape(&here, value, refs, node)?));
                    for (word, guard) in [("then", Guard::Valid(Arc::clone(&holds))), ("else", Guard::Invalid(holds))] {
                        if let Some(inner) = map.get(word) {
                            shape.parts.push(Part::Branch(guard, self.shape(&place.child(word), inner, refs, node)?));
                        }
                    }
                }
                "dependencies" | "dependentSchemas" => {
                    for (name, inner) in value.as_object().into_iter().flatten().filter(|(_, inner)| inner.is_object()) {
                        let inner = self.shape(&here.child(name), inner, refs, node)?;
                        shape.parts.push(Part::Branch(Guard::Has(name.clone()), inner));
                    }
                }
                _ => {}
            }
        }
        if let Some(marks) = map.get(EXTENSION) {
            shape.marks = Marks::read(marks, shape.format.as_deref(), node)?;
        }
        if shape.is_object() {
            shape.validator = Some(self.validator_at(place)?);
        }
        Ok(shape)
    }

    fn items(
        &mut self,
        place: &Place,
        value: &'a Value,
        refs: &mut Vec<(usize, String)>,
        node: &str,
    ) -> Result<Items, SchemaError> {
        Ok(match value {
            Value::Array(each) => {
                let mut shapes = Vec::with_capacity(each.len());
                for (index, inner) in each.iter().enumerate() {
                    shapes.push(self.shape(&place.child(&index.to_string()), inner, refs, node)?);
                }
                Items::Each(shapes)
            }
            Value::Object(_) => Items::Every(Box::new(self.shape(place, value, refs, node)?)),
            _ => Items::Unknown,
        })
    }

    /// The shape that a reference leads to. One that leads back to where it came from says nothing more: a schema that
    /// holds itself has no end, and what people fill in has.
    fn referred(
        &mut self,
        place: &Place,
        reference: &str,
        refs: &mut Vec<(usize, String)>,
        node: &str,
    ) -> Result<Shape, SchemaError> {
        let (target, schema) = self.resolve(place, reference).ok_or_else(|| SchemaError::Reference(reference.to_owned()))?;
        let key = (target.document, target.pointer.clone());
        if refs.contains(&key) {
            return Ok(Shape::default());
        }
        refs.push(key);
        let shape = self.shape(&target, schema, refs, node);
        refs.pop();
        shape
    }

    fn resolve(&self, place: &Place, reference: &str) -> Option<(Place, &'a Value)> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = if address.is_empty() { without_fragment(&place.base).to_owned() } else { join(&place.base, address) };
        let fragment = percent_decode(fragment);
        let is_pointer = fragment.is_empty() || fragment.starts_with('/');
        let name = if is_pointer { base.clone() } else { format!("{base}#{fragment}") };
        let whole = self.documents.iter().position(|(address, _)| *address == name);
        let named = || self.names.iter().find(|n| n.name == name).map(|n| n.place.clone());
        let mut place = match whole {
            Some(document) => Place { document, pointer: String::new(), base: base.clone() },
            None => named()?,
        };
        if is_pointer && !fragment.is_empty() {
            place = Place { document: place.document, pointer: format!("{}{fragment}", place.pointer), base };
        }
        let schema = self.documents.get(place.document)?.1.pointer(&place.pointer)?;
        Some((place, schema))
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(many)
}

fn invalid(error: &jsonschema::ValidationError<'_>) -> SchemaError {
    SchemaError::Invalid { at: error.instance_path().to_string(), reason: error.to_string() }
}

/// The draft that `$schema` names; draft 7 if it names none that is known.
fn draft_of(document: &Value) -> Draft {
    let named = document.get("$schema").and_then(Value::as_str).unwrap_or_default();
    [("draft-04", Draft::Draft4), ("draft-06", Draft::Draft6), ("2019-09", Draft::Draft201909), ("2020-12", Draft::Draft202012)]
        .into_iter()
        .find(|(word, _)| named.contains(word))
        .map_or(Draft::Draft7, |(_, draft)| draft)
}

fn collect_names(value: &Value, place: &Place, depth: usize, names: &mut Vec<Name>) {
    if depth > MAX_DEPTH {
        return;
    }
    let mut inner = place.clone();
    if depth > 0
        && let Some(id) = value.get("$id").and_then(Value::as_str)
    {
        let name = join(&place.base, id);
        if !id.starts_with('#') {
            without_fragment(&name).clone_into(&mut inner.base);
        }
        names.push(Name { name: name.strip_suffix('#').unwrap_or(&name).to_owned(), place: place.clone() });
    }
    if let Some(anchor) = value.get("$anchor").and_then(Value::as_str) {
        names.push(Name { name: format!("{}#{anchor}", inner.base), place: place.clone() });
    }
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| collect_names(v, &inner.child(key), depth + 1, names)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, v)| collect_names(v, &inner.child(&index.to_string()), depth + 1, names));
        }
        _ => {}
    }
}
