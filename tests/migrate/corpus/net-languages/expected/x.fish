nymproxy client --wire legacy -s $A
