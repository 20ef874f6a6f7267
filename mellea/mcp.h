// Tools of servers that speak the Model Context Protocol.
#pragma once

#include "mellea/mcp/mcp_client.h"
