library {
  function {
    signature { name: "f" }
    node_def { name: "p" op: "AddV2" }
  }
}
