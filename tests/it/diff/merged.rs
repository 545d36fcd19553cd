//! `fairlead values`: what a release is rendered with.
