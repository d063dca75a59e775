variable "roles" {
  type = map(object({ actions = list(string), keys = bool }))
}
variable "enabled" {
  type    = bool
  default = true
}
variable "projects" {
  type    = list(string)
  default = []
}
variable "count_of" {
  type = number
}
