//! Go text/template: lexer, parser, tree, executor and the functions that Helm registers.
//!
//! Pure. Knows nothing of charts and files: a caller hands it named sources and a root value.
