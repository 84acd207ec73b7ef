//! Compiles the service of the baseline without an installed `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = "proto/baseline.proto";
    println!("cargo:rerun-if-changed={file}");
    let descriptors = protox::compile([file], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
