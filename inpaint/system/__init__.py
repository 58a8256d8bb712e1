"""What every room asks of the machine, each once: files, environment, devices, parallel work, signals."""
