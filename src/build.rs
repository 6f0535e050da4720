//! Lets the hub be built without Node, and built again when the dashboards were: `src/http/assets.rs` embeds `dashboards/dist`.

fn main() {
    let built = std::path::Path::new("dashboards/dist");
    // Cargo would run this each time if it watched a directory that is not there. Without write access the build goes on:
    // the hub then says that its dashboards were not built.
    if let Err(error) = std::fs::create_dir_all(built) {
        println!("cargo::warning=dashboards/dist cannot be made: {error}");
    }
    println!("cargo::rerun-if-changed=dashboards/dist");
    println!("cargo::rerun-if-changed=src/build.rs");
}
