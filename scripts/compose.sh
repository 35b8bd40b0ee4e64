# Sourced by the scripts beside it that run Compose. Finds an engine, Docker or Podman. Sets `compose` to the command, or
# `missing` to what is not available.
compose=() missing=''
find_compose() {
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
        if docker compose version >/dev/null 2>&1; then
            compose=(docker compose)
        elif command -v docker-compose >/dev/null; then
            compose=(docker-compose)
        else
            missing="Docker has no Compose here (neither the plugin nor docker-compose)"
        fi
    elif command -v podman >/dev/null && podman info >/dev/null 2>&1; then
        if podman compose version >/dev/null 2>&1; then
            compose=(podman compose)
        elif command -v podman-compose >/dev/null; then
            compose=(podman-compose)
        else
            missing="Podman has no Compose here (neither docker-compose nor podman-compose)"
        fi
    elif command -v docker >/dev/null || command -v podman >/dev/null; then
        missing="no engine answers here (is it started, and may this user ask it?)"
    else
        missing="neither Docker nor Podman is installed"
    fi
}
