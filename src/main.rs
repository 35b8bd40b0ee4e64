fn main() -> std::process::ExitCode {
    tracegen::cli::main()
}
