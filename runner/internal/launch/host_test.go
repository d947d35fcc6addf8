package launch

func hostMain([]string) {}
