//! Post-rendering: what `spec.postRenderers` and `spec.commonMetadata` change in what a chart was rendered to.
//!
//! Pure. It knows kustomize's patches and images and how a rendering's documents are put back; nothing about clusters, and nothing
//! about the labels by which Fairlead finds its objects (the operator sets those on what comes out of here).
//!
//! What kustomize 5.8 does is what happens here, object by object; `tests/crosscheck` compares the two. Differences, all of them where
//! kustomize loses what the patch says, or changes what it does not mention:
//!
//! | | kustomize | here |
//! |---|---|---|
//! | `$patch: replace` in an item of a list, or at the top of an object | is ignored | replaces the item or the object |
//! | a port without `protocol` on one side | the patch is ignored | the first port with that number is patched |
//! | an item of a patch without the list's key | is left out, or removes others | is an error |
//! | several items with the same key, in a list that a patch mentions | the last one wins over the patch | the first one is patched |
//! | lists that a patch does not mention, with items that have the same key | the last one is kept | as they are |
//! | an unknown `$patch` | is left in the object, or is an error | is an error |
//! | `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…` | are left in the object | do what they do in `kubectl patch` |
//! | a JSON patch copies what is not there | null is copied | is an error |
//! | something else where an image would be, as custom resources may have it | is an error | is passed over |
//! | a JSON patch that changes a name | references to it in other objects follow | they stay |
//! | a number in place of a text that is quoted in the manifest | becomes a text, since the quotes stay | stays a number |
//! | order of the objects | may be sorted | is Helm's install order |

mod builtin;
mod documents;
mod error;
mod images;
mod json_patch;
mod limits;
mod merge;
mod metadata;
mod object;
mod patch;
mod target;

pub use error::{ChangeError, PostRenderError, SpecError};
pub use object::Object;
pub use target::Target;

use crate::api::helm_release::post_render::{Kustomize, PostRenderer};
use crate::api::reference::CommonMetadata;
use images::ImageChange;
use limits::MAXIMUM_CHANGES;
use patch::Patch;

/// The changes of a release's post-renderers, ready to be made.
#[derive(Debug, Default)]
pub struct PostRendering {
    passes: Vec<Pass>,
    common_metadata: Option<CommonMetadata>,
}

/// The changes of one post-renderer: kustomize would run once for them.
#[derive(Debug)]
struct Pass {
    patches: Vec<Patch>,
    images: Vec<ImageChange>,
}

impl PostRendering {
    /// Reads the fields of a spec.
    ///
    /// # Errors
    /// When a patch, a target or the name of an image cannot be read, or there are more than 1000 of them.
    pub fn new(
        post_renderers: &[PostRenderer],
        common_metadata: Option<&CommonMetadata>,
    ) -> Result<Self, PostRenderError> {
        let mut passes = Vec::new();
        let mut changes = 0;
        for (index, PostRenderer { kustomize }) in post_renderers.iter().enumerate() {
            let Some(kustomize) = kustomize else { continue };
            let Kustomize { patches, images } = kustomize;
            changes += patches.len() + images.len();
            if changes > MAXIMUM_CHANGES {
                return Err(PostRenderError::TooMany {
                    maximum: MAXIMUM_CHANGES,
                });
            }
            let place = format!("spec.postRenderers[{index}].kustomize");
            passes.push(Pass {
                patches: patch::read_all(&place, patches)?,
                images: images::read_all(&place, images)?,
            });
        }
        Ok(Self {
            passes,
            common_metadata: common_metadata.cloned(),
        })
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.passes.is_empty() && self.common_metadata.is_none()
    }

    /// Changes objects that kustomize would see together. Objects that are deleted are empty afterwards.
    ///
    /// # Errors
    /// When a patch cannot be applied.
    pub fn change(&self, objects: &mut [Object]) -> Result<(), PostRenderError> {
        let Self {
            passes,
            common_metadata,
        } = self;
        for Pass { patches, images } in passes {
            objects.iter_mut().for_each(Object::begin_pass);
            for patch in patches {
                patch.apply(objects)?;
            }
            for image in images {
                image.apply(objects);
            }
        }
        if let Some(common) = common_metadata {
            metadata::set(objects, common)?;
        }
        Ok(())
    }
}
