print("no report yet")
