//! YAML as Helm reads and writes it: the parser rules of go-yaml v2 (YAML 1.1) behind sigs.k8s.io/yaml, and its emitter.
//!
//! Pure. Knows nothing of charts or Kubernetes objects.
