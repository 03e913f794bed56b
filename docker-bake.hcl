# docker buildx bake            all images
# docker buildx bake cpu        linux/amd64 and linux/arm64; an image of several platforms is pushed
#   --set cpu.output=type=registry --set cpu.tags=registry.lan/mirante
# docker buildx bake tensorrt   linux/amd64
variable "TAG" {
  default = "latest"
}

group "default" {
  targets = ["cpu", "bridges", "fleet", "tensorrt", "l4t"]
}

target "cpu" {
  target    = "cpu"
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["mirante:${TAG}"]
}

target "bridges" {
  target    = "bridges"
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["mirante:${TAG}-bridges"]
}

target "fleet" {
  target    = "fleet"
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["mirante:${TAG}-fleet"]
}

# TensorRT has wheels for arm64 of glibc 2.35 on; the image's runs have not been tried there.
target "tensorrt" {
  target    = "tensorrt"
  platforms = ["linux/amd64"]
  tags      = ["mirante:${TAG}-tensorrt"]
}

# No Jetson has run it.
target "l4t" {
  target    = "l4t"
  args      = {SYSTEM = "ubuntu:24.04"}
  platforms = ["linux/arm64"]
  tags      = ["mirante:${TAG}-l4t"]
}
