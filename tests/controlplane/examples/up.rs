//! A control plane to work with by hand: it runs until Ctrl-C.

use fairlead_controlplane::{ControlPlane, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let tools = control_plane.binary("kubectl").await?;
    println!("export KUBECONFIG={}", control_plane.kubeconfig_path().display());
    println!("export PATH={}:$PATH", tools.parent().unwrap_or(&tools).display());
    std::future::pending().await
}
