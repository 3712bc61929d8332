//! Identity schemas: what the traits of an identity look like, and what they are for.
//!
//! A schema is a JSON Schema document (draft 7 unless it names another) whose `properties.traits` describes the traits; the
//! key `ory.sh/kratos` marks identifiers and addresses. It is read once: everything that can be wrong with it is found by
//! [`IdentitySchema::parse`], and nothing here fetches anything. Order counts: leaves, problems and derived values come in
//! the order of the schema's text, so documents must be read with their key order kept.

mod build;
mod extension;
mod form;
mod leaf;
mod shape;
#[cfg(test)]
mod tests;
mod validate;

pub use extension::Derived;
pub use form::{nest, traits_from_form};
pub use leaf::{Leaf, LeafKind, Scalar, trait_nodes};
pub use validate::Problem;

use jsonschema::Validator;
use serde_json::Value;

use shape::Shape;

/// Why a document is no identity schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON object.
    #[error("an identity schema must be a JSON object")]
    NotAnObject,
    /// It does not describe traits.
    #[error("an identity schema must describe the traits: `properties.traits` needs `properties`")]
    NoTraits,
    /// It is no valid JSON Schema, or refers to something that is not at hand.
    #[error("not a valid JSON Schema at {at:?}: {reason}")]
    Invalid {
        /// A JSON pointer into the document.
        at: String,
        /// What is wrong there.
        reason: String,
    },
    /// A reference leads nowhere.
    #[error("the reference {0:?} leads nowhere")]
    Reference(String),
    /// The marks of a trait cannot be read.
    #[error("the marks of {node} cannot be read: {reason}")]
    Extension {
        /// The trait.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A trait whose address can be verified has a format that no address has.
    #[error("{node} is marked for verification but has the format {format:?}")]
    Verification {
        /// The trait.
        node: String,
        /// Its format.
        format: String,
    },
    /// It holds too many schemas, or they stand too deep in one another.
    #[error("the schema is too big or too deep")]
    TooBig,
}

/// An identity schema, checked and ready to use.
#[derive(Debug)]
pub struct IdentitySchema {
    id: String,
    document: Value,
    validator: Validator,
    shape: Shape,
    leaves: Vec<Leaf>,
    /// Traits that have no node: untyped ones, lists of objects. Forms may fill them all the same.
    hidden: Vec<Leaf>,
}

impl IdentitySchema {
    /// Reads a schema that refers to nothing outside of itself. `id` is the plain id by which identities name it.
    ///
    /// # Errors
    /// If the document is no identity schema.
    pub fn parse(id: impl Into<String>, document: &Value) -> Result<Self, SchemaError> {
        Self::parse_with(id, document, &[])
    }

    /// Reads a schema that may refer to other documents, given with their addresses. Nothing else is fetched.
    ///
    /// # Errors
    /// If the document is no identity schema, or refers to a document that is not given.
    pub fn parse_with(id: impl Into<String>, document: &Value, resources: &[(String, Value)]) -> Result<Self, SchemaError> {
        if !document.is_object() {
            return Err(SchemaError::NotAnObject);
        }
        let mut builder = build::Builder::new(document, resources);
        let validator = builder.validator(document)?;
        let shape = builder.traits()?;
        let (leaves, hidden) = leaf::collect(&shape);
        Ok(Self { id: id.into(), document: document.clone(), validator, shape, leaves, hidden })
    }

    /// Its plain id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The document as it was read.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The traits that a form shows, in the schema's order.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Adds `{}` for the objects that the schema knows and that were not sent, as sign-up and settings do, wherever the
    /// object's own schema accepts that: an optional object with a required property stays away. Lists are left alone.
    pub fn fill_absent_objects(&self, traits: &mut Value) {
        self.shape.fill_absent_objects(traits);
    }
}
