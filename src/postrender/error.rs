//! What goes wrong in post-rendering. No message has a value of an object or of a patch in it: either may be a Secret's.

use crate::render::RenderError;

/// Why post-renderers cannot be read, or cannot change what was rendered. All are errors of the spec, or of the spec together with the
/// chart: trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum PostRenderError {
    /// There are too many of them.
    #[error("spec.postRenderers has more than {maximum} patches and images; merge some of them")]
    TooMany {
        /// The bound.
        maximum: usize,
    },
    /// A field cannot be read.
    #[error("{place}: {source}")]
    Spec {
        /// The field, for example `spec.postRenderers[0].kustomize.patches[2].patch`.
        place: String,
        /// What is wrong with it.
        source: SpecError,
    },
    /// An object cannot be changed.
    #[error("{place}: {object}: {source}")]
    Change {
        /// The field that has the change.
        place: String,
        /// The object.
        object: String,
        /// Why not.
        source: ChangeError,
    },
    /// A strategic merge patch without `target` names an object that was not rendered.
    #[error(
        "{place}: the chart renders no {object}; correct the patch's apiVersion, kind, name and namespace, or set target"
    )]
    NoObject {
        /// The field that has the patch.
        place: String,
        /// The object that it names.
        object: String,
    },
    /// A strategic merge patch without `target` names several objects.
    #[error("{place}: the chart renders {object} more than once; which one is to be patched cannot be said")]
    SeveralObjects {
        /// The field that has the patch.
        place: String,
        /// The object that it names.
        object: String,
    },
    /// What was changed is no manifest any more.
    #[error("a document that post-renderers changed: {0}")]
    Document(Box<RenderError>),
}

/// What is wrong with a field of a post-renderer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The patch has no text.
    #[error("the patch is empty")]
    Empty,
    /// The patch is too long.
    #[error("the patch is longer than {maximum} bytes")]
    TooLong {
        /// The bound.
        maximum: usize,
    },
    /// The patch cannot be read. The parser's message names a line and no value.
    #[error("document {document} is not YAML: {message}")]
    Yaml {
        /// Counted from one.
        document: usize,
        /// What the parser says.
        message: String,
    },
    /// The patch is of neither form.
    #[error(
        "document {document} is neither an object (a strategic merge patch) nor a list of operations (a JSON patch)"
    )]
    NeitherForm {
        /// Counted from one.
        document: usize,
    },
    /// A strategic merge patch that names no object.
    #[error(
        "the strategic merge patch in document {document} has no {field}; it must have apiVersion, kind and metadata.name, of any value if there is a target"
    )]
    NoIdentity {
        /// Counted from one.
        document: usize,
        /// The field.
        field: &'static str,
    },
    /// Several strategic merge patches with a target.
    #[error("{count} strategic merge patches in one text with a target; make an entry of each, or remove target")]
    SeveralWithTarget {
        /// How many.
        count: usize,
    },
    /// A JSON patch without a target.
    #[error("a JSON patch needs a target that says which objects it is for")]
    NoTarget,
    /// A JSON patch in several documents.
    #[error("a JSON patch must be one document")]
    SeveralDocuments,
    /// A JSON patch with too many operations.
    #[error("the JSON patch has more than {maximum} operations")]
    TooManyOperations {
        /// The bound.
        maximum: usize,
    },
    /// An operation of a JSON patch cannot be read.
    #[error("operation {index} of the JSON patch: {message}")]
    Operation {
        /// Counted from zero.
        index: usize,
        /// What is wrong with it.
        message: &'static str,
    },
    /// A regular expression cannot be read.
    #[error("{field} is not a regular expression: {message}")]
    Regex {
        /// The field of the target, or `name` of an image.
        field: &'static str,
        /// What Go says about it.
        message: String,
    },
    /// A selector cannot be read.
    #[error("{field} is not a selector: {message}")]
    Selector {
        /// The field of the target.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// Why an object cannot be changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The patch has another type of value than the object.
    #[error("{path} is {expected} and the patch has {found} there")]
    OtherType {
        /// JSON path below the object.
        path: String,
        /// What the object has.
        expected: &'static str,
        /// What the patch has.
        found: &'static str,
    },
    /// An item of a list that is merged has no key.
    #[error("{path}: an item of the patch has no {key}, by which the items of this list are told apart")]
    NoKey {
        /// JSON path of the list.
        path: String,
        /// The first of the list's keys.
        key: &'static str,
    },
    /// An unknown directive.
    #[error("{path}: $patch must be delete, merge or replace")]
    Directive {
        /// JSON path of the object that has it.
        path: String,
    },
    /// A directive is not of the form that it needs.
    #[error("{path}.{directive} must be a list")]
    DirectiveForm {
        /// JSON path of the object that has it.
        path: String,
        /// The key of the directive.
        directive: String,
    },
    /// An operation of a JSON patch fails.
    #[error("operation {index} of the JSON patch ({operation} {path}): {problem}")]
    Operation {
        /// Counted from zero.
        index: usize,
        /// `add`, `remove`, ...
        operation: &'static str,
        /// Where.
        path: String,
        /// Why.
        problem: &'static str,
    },
    /// The patched object has lost its name.
    #[error("the patch leaves no {0}; to delete an object, patch it with $patch: delete")]
    NoIdentity(&'static str),
    /// A part that must be an object is none.
    #[error("{0} must be an object")]
    NotAnObject(&'static str),
}
